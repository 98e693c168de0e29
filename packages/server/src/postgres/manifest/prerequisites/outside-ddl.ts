/** What Postgres reports when something exists already; it has no IF NOT EXISTS for most kinds. */
const EXISTS_ALREADY = 'duplicate_object OR duplicate_function OR unique_violation';

/** SQL expression: a statement (an SQL expression of its text) that does nothing when what it creates exists. */
function once(statement: string): string {
  return `'DO ' || quote_literal('BEGIN ' || ${statement} || '; EXCEPTION WHEN ${EXISTS_ALREADY} THEN NULL; END')`;
}

/** SQL expression: the qualified name of an object of a catalog. */
const nameIn = (catalog: string, prefix: string, oid: string) =>
  `(SELECT format('%I.%I', m.nspname, y.${prefix}name) FROM ${catalog} y JOIN pg_namespace m ON m.oid = y.${prefix}namespace WHERE y.oid = ${oid})`;

/** SQL expression: ` COLLATE x` where a collation is not the one of the type. */
const collate = (collation: string, type: string) =>
  `(SELECT ' COLLATE ' || ${nameIn('pg_collation', 'coll', collation)} FROM pg_type b WHERE b.oid = ${type} AND b.typcollation <> ${collation} AND ${collation} <> 0)`;

/** SQL expression over `t` (pg_type) and `c` (the relation of a composite one): CREATE TYPE, but for what `TYPE_PARTS` adds. */
const CREATE_TYPE = `CASE
  WHEN t.typtype = 'e' THEN format('CREATE TYPE %s AS ENUM (%s)', i.identity,
    (SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid))
  WHEN t.typtype = 'd' THEN format('CREATE DOMAIN %s AS %s%s%s', i.identity, format_type(t.typbasetype, t.typtypmod),
    ${collate('t.typcollation', 't.typbasetype')}, CASE WHEN t.typnotnull THEN ' NOT NULL' END)
  WHEN c.relkind = 'c' THEN format('CREATE TYPE %s AS (%s)', i.identity,
    (SELECT string_agg(format('%I %s%s', a.attname, format_type(a.atttypid, a.atttypmod), ${collate('a.attcollation', 'a.atttypid')}), ', ' ORDER BY a.attnum)
     FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped))
  -- A function that makes its values canonical has to be written in C before the type exists.
  WHEN t.typtype = 'r' THEN (SELECT format('CREATE TYPE %s AS RANGE (%s)', i.identity, concat_ws(', ', 'SUBTYPE = ' || format_type(r.rngsubtype, NULL),
      'SUBTYPE_OPCLASS = ' || ${nameIn('pg_opclass', 'opc', 'r.rngsubopc')},
      (SELECT 'COLLATION = ' || ${nameIn('pg_collation', 'coll', 'r.rngcollation')} FROM pg_type b WHERE b.oid = r.rngsubtype AND b.typcollation <> r.rngcollation),
      'SUBTYPE_DIFF = ' || ${nameIn('pg_proc', 'pro', 'nullif(r.rngsubdiff::oid, 0)')},
      'MULTIRANGE_TYPE_NAME = ' || ${nameIn('pg_type', 'typ', `(to_jsonb(r) ->> 'rngmultitypid')::oid`)}))
    FROM pg_range r WHERE r.rngtypid = t.oid AND r.rngcanonical = 0)
END`;

/** SQL expression over `o` (pg_operator). */
const CREATE_OPERATOR = once(`format('CREATE OPERATOR %I.%s (%s)', opn.nspname, o.oprname, concat_ws(', ',
  'FUNCTION = ' || ${nameIn('pg_proc', 'pro', 'o.oprcode')},
  'LEFTARG = ' || format_type(nullif(o.oprleft, 0), NULL), 'RIGHTARG = ' || format_type(nullif(o.oprright, 0), NULL),
  (SELECT format('COMMUTATOR = OPERATOR(%I.%s)', m.nspname, y.oprname) FROM pg_operator y JOIN pg_namespace m ON m.oid = y.oprnamespace WHERE y.oid = o.oprcom),
  (SELECT format('NEGATOR = OPERATOR(%I.%s)', m.nspname, y.oprname) FROM pg_operator y JOIN pg_namespace m ON m.oid = y.oprnamespace WHERE y.oid = o.oprnegate),
  'RESTRICT = ' || ${nameIn('pg_proc', 'pro', 'nullif(o.oprrest::oid, 0)')}, 'JOIN = ' || ${nameIn('pg_proc', 'pro', 'nullif(o.oprjoin::oid, 0)')},
  CASE WHEN o.oprcanhash THEN 'HASHES' END, CASE WHEN o.oprcanmerge THEN 'MERGES' END))`);

/** SQL expression over `col` (pg_collation), with the names of columns that the major has. */
const CREATE_COLLATION = `(SELECT format('CREATE COLLATION IF NOT EXISTS %s (%s)', i.identity, concat_ws(', ',
    'PROVIDER = ' || CASE j ->> 'collprovider' WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' ELSE 'libc' END,
    'LOCALE = ' || quote_literal(coalesce(j ->> 'colllocale', j ->> 'colliculocale')),
    'LC_COLLATE = ' || CASE WHEN j ->> 'collprovider' IN ('c') THEN quote_literal(j ->> 'collcollate') END,
    'LC_CTYPE = ' || CASE WHEN j ->> 'collprovider' IN ('c') THEN quote_literal(j ->> 'collctype') END,
    'RULES = ' || quote_literal(j ->> 'collicurules'),
    CASE WHEN NOT (j ->> 'collisdeterministic')::boolean THEN 'DETERMINISTIC = false' END))
  FROM to_jsonb(col) j)`;

const CREATE_DICTIONARY = once(`format('CREATE TEXT SEARCH DICTIONARY %s (TEMPLATE = %s%s)', i.identity,
  ${nameIn('pg_ts_template', 'tmpl', 'dict.dicttemplate')}, ', ' || dict.dictinitoption)`);

const CREATE_CONFIGURATION =
  once(`format('CREATE TEXT SEARCH CONFIGURATION %s (PARSER = %s)', i.identity, ${nameIn('pg_ts_parser', 'prs', 'cfg.cfgparser')})
  || coalesce((SELECT string_agg(format('; ALTER TEXT SEARCH CONFIGURATION %s ADD MAPPING FOR %I WITH %s', i.identity, w.alias, w.dicts), '' ORDER BY w.alias) FROM (
    SELECT k.alias, string_agg(${nameIn('pg_ts_dict', 'dict', 'mp.mapdict')}, ', ' ORDER BY mp.mapseqno) AS dicts
    FROM pg_ts_config_map mp JOIN ts_token_type(cfg.cfgparser) k ON k.tokid = mp.maptokentype WHERE mp.mapcfg = cfg.oid GROUP BY k.alias) w), '')`);

/**
 * SQL expression: the statement that creates an object outside of a tenant's schema, null where there is no simple one. Over what
 * `OUTSIDE_JOINS` joins to `w(classid, objid)`.
 */
export const CREATE_OUTSIDE = `CASE
  WHEN p.prokind IN ('f', 'p', 'w') THEN pg_get_functiondef(p.oid)
  WHEN t.oid IS NOT NULL THEN ${CREATE_TYPE}
  WHEN o.oid IS NOT NULL AND o.oprcode <> 0 THEN ${CREATE_OPERATOR}
  WHEN col.oid IS NOT NULL THEN ${CREATE_COLLATION}
  WHEN dict.oid IS NOT NULL THEN ${CREATE_DICTIONARY}
  WHEN cfg.oid IS NOT NULL THEN ${CREATE_CONFIGURATION}
END`;

/** SQL: the catalogs of objects `w(classid, objid)`. */
export const OUTSIDE_JOINS = `CROSS JOIN LATERAL pg_identify_object(w.classid, w.objid, 0) i
  LEFT JOIN pg_type t ON w.classid = 'pg_type'::regclass AND t.oid = w.objid
  LEFT JOIN pg_namespace tn ON tn.oid = t.typnamespace
  LEFT JOIN pg_class c ON c.oid = t.typrelid
  LEFT JOIN pg_class rel ON w.classid = 'pg_class'::regclass AND rel.oid = w.objid
  LEFT JOIN pg_proc p ON w.classid = 'pg_proc'::regclass AND p.oid = w.objid
  LEFT JOIN pg_operator o ON w.classid = 'pg_operator'::regclass AND o.oid = w.objid
  LEFT JOIN pg_namespace opn ON opn.oid = o.oprnamespace
  LEFT JOIN pg_collation col ON w.classid = 'pg_collation'::regclass AND col.oid = w.objid
  LEFT JOIN pg_ts_dict dict ON w.classid = 'pg_ts_dict'::regclass AND dict.oid = w.objid
  LEFT JOIN pg_ts_config cfg ON w.classid = 'pg_ts_config'::regclass AND cfg.oid = w.objid`;

/** SQL expression: what is said of a domain once all types and functions exist, in the order in which it has to run; null for others. */
export const DOMAIN_PARTS = `(SELECT json_agg(x.part ORDER BY x.place, x.name) FROM (
  SELECT 1 AS place, '' AS name, json_build_object('phase', 'before', 'sql', 'ALTER DOMAIN ' || i.identity || ' SET DEFAULT '
      || coalesce(pg_get_expr(t.typdefaultbin, 0), quote_literal(t.typdefault))) AS part
    WHERE t.typtype = 'd' AND t.typdefault IS NOT NULL
  UNION ALL SELECT 2, k.conname, json_build_object('phase', CASE WHEN k.convalidated THEN 'before' ELSE 'after' END, 'sql',
      'DO ' || quote_literal(format('BEGIN IF NOT EXISTS (SELECT FROM pg_catalog.pg_constraint WHERE contypid = pg_catalog.to_regtype(%L) AND conname = %L) THEN ALTER DOMAIN %s ADD CONSTRAINT %I %s%s; END IF; END',
        i.identity, k.conname, i.identity, k.conname, pg_get_constraintdef(k.oid),
        CASE WHEN NOT k.convalidated AND pg_get_constraintdef(k.oid) !~ 'NOT VALID$' THEN ' NOT VALID' END)))
    FROM pg_constraint k WHERE t.typtype = 'd' AND k.contypid = t.oid AND k.contype = 'c') x)`;

/** SQL expression: keywords of the object's kind, for COMMENT. */
const KEYWORDS = `CASE WHEN i.type IN ('function', 'procedure') THEN 'ROUTINE' WHEN t.typtype = 'd' THEN 'DOMAIN' ELSE upper(i.type) END`;

/**
 * SQL expression: comments on the object and, for functions and types, who may use it: only roles of `$3`, since others do not come with
 * the tenant.
 */
export const OUTSIDE_WORDS = `(SELECT json_agg(x.sql ORDER BY x.place) FROM (
  SELECT 1 AS place, format('COMMENT ON %s %s IS %L', ${KEYWORDS}, i.identity, obj_description(w.objid, (SELECT relname FROM pg_class WHERE oid = w.classid))) AS sql
    WHERE obj_description(w.objid, (SELECT relname FROM pg_class WHERE oid = w.classid)) IS NOT NULL
  UNION ALL SELECT 2, format('COMMENT ON CONSTRAINT %I ON DOMAIN %s IS %L', k.conname, i.identity, obj_description(k.oid, 'pg_constraint'))
    FROM pg_constraint k WHERE t.typtype = 'd' AND k.contypid = t.oid AND k.convalidated AND obj_description(k.oid, 'pg_constraint') IS NOT NULL
  UNION ALL SELECT 3, format('COMMENT ON COLUMN %s.%I IS %L', i.identity, a.attname, col_description(c.oid, a.attnum))
    FROM pg_attribute a WHERE c.relkind = 'c' AND a.attrelid = c.oid AND a.attnum > 0 AND col_description(c.oid, a.attnum) IS NOT NULL
  UNION ALL SELECT 4, format('REVOKE ALL ON %s %s FROM PUBLIC', g.kind, i.identity) FROM (SELECT CASE WHEN p.oid IS NULL THEN 'TYPE' ELSE 'ROUTINE' END AS kind) g
    WHERE coalesce(p.proacl, t.typacl) IS NOT NULL
  UNION ALL SELECT 5, format('GRANT %s ON %s %s TO %s', a.privilege_type, CASE WHEN p.oid IS NULL THEN 'TYPE' ELSE 'ROUTINE' END, i.identity,
      CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END)
    FROM aclexplode(coalesce(p.proacl, t.typacl)) a WHERE a.grantee = 0 OR (a.grantee <> coalesce(p.proowner, t.typowner) AND pg_get_userbyid(a.grantee) = ANY ($3::text[]))) x)`;
