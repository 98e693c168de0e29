import type { SchemaObject } from '../../manifest.ts';
import { DATABASE_WIDE, inScope, notOfExtension } from '../scope.ts';
import type { ObjectQueries } from './query.ts';

/** One catalog whose rows have an owner and, most of them, grants. */
interface OwnedCatalog {
  readonly catalog: string;
  readonly owner: string;
  readonly schema: string | null;
  readonly acl: string | null;
  /** First argument of acldefault(). */
  readonly aclKind: string;
  readonly where: string;
}

const own = (catalog: string, prefix: string, acl: string | null, aclKind = '', schema = true, where = 'true'): OwnedCatalog => ({
  catalog,
  owner: `o.${prefix}owner`,
  schema: schema ? `o.${prefix}namespace` : null,
  acl: acl === null ? null : `o.${acl}`,
  aclKind,
  where,
});

/** Catalogs with owners. Indexes and row types follow their tables; arrays their elements. */
export const OWNED: readonly OwnedCatalog[] = [
  {
    ...own('pg_namespace', 'nsp', null, `'n'`),
    schema: 'o.oid',
    // A restore always finds a `public` with default grants, so their absence has to be recorded.
    acl: `CASE WHEN o.nspname = 'public' THEN coalesce(o.nspacl, acldefault('n', o.nspowner)) ELSE o.nspacl END`,
  },
  own(
    'pg_class',
    'rel',
    'relacl',
    `(CASE o.relkind WHEN 'S' THEN 's' ELSE 'r' END)::"char"`,
    true,
    `o.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND o.relpersistence <> 't'`,
  ),
  own('pg_proc', 'pro', 'proacl', `'f'`),
  own(
    'pg_type',
    'typ',
    'typacl',
    `'T'`,
    true,
    `(o.typrelid = 0 OR EXISTS (SELECT FROM pg_class c WHERE c.oid = o.typrelid AND c.relkind = 'c')) AND o.typtype <> 'm'
     AND NOT EXISTS (SELECT FROM pg_type x WHERE x.typarray = o.oid)`,
  ),
  // A shell operator has no function yet; pg_dump leaves it out.
  own('pg_operator', 'opr', null, '', true, 'o.oprcode <> 0'),
  own('pg_opclass', 'opc', null),
  own('pg_opfamily', 'opf', null),
  own('pg_collation', 'coll', null),
  { ...own('pg_conversion', 'con', null) },
  own('pg_ts_dict', 'dict', null),
  own('pg_ts_config', 'cfg', null),
  own('pg_statistic_ext', 'stx', null),
  own('pg_language', 'lan', 'lanacl', `'l'`, false, 'o.lanispl'),
  own('pg_foreign_data_wrapper', 'fdw', 'fdwacl', `'F'`, false),
  own('pg_foreign_server', 'srv', 'srvacl', `'S'`, false),
  own('pg_event_trigger', 'evt', null, '', false),
  own('pg_publication', 'pub', null, '', false),
];

/** pg_dump keeps changed grants of pg_catalog too, and nothing of the other schemas of the system. */
const GRANT_SCOPE = `(${inScope('n')} OR (${DATABASE_WIDE} AND n.nspname = 'pg_catalog'))`;

/** SQL: `classid, objid, subid, acl, standard` of everything whose grants are not simply the default. */
export function grantedObjects(): string {
  const parts = OWNED.filter(({ acl }) => acl !== null).map(
    ({ catalog, owner, schema, acl, aclKind, where }) =>
      `SELECT '${catalog}'::regclass::oid AS classid, o.oid AS objid, 0 AS subid, ${acl} AS acl, acldefault(${aclKind}, ${owner}) AS standard, ${owner} AS owner
       FROM ${catalog} o ${schema === null ? '' : `JOIN pg_namespace n ON n.oid = ${schema}`}
       WHERE ${acl} IS NOT NULL AND ${where} AND ${schema === null ? DATABASE_WIDE : GRANT_SCOPE}`,
  );
  parts.push(
    `SELECT 'pg_class'::regclass::oid, a.attrelid, a.attnum, a.attacl, acldefault('c', c.relowner), c.relowner
     FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE a.attacl IS NOT NULL AND NOT a.attisdropped AND c.relpersistence <> 't' AND ${GRANT_SCOPE}`,
  );
  return parts.join('\n UNION ALL ');
}

/** SQL condition: the default privileges `a` are those of the owner of a schema of `$1`, in every schema. */
export const OF_ALL_SCHEMAS = `(a.defaclnamespace = 0 AND a.defaclrole IN (SELECT o.nspowner FROM pg_namespace o WHERE o.nspname = ANY ($1::text[])))`;

/** Whether an object is the default privileges of a role in every schema, not in one. */
export function isOfAllSchemas({ kind, name }: Pick<SchemaObject, 'kind' | 'name'>): boolean {
  return kind === 'default_privileges' && /^of ("(?:[^"]|"")*"|[^" ]+) on \w$/.test(name);
}

const EXPLODED = (acl: string) => `
  SELECT b.classid, b.objid, b.subid, x.grantee,
    string_agg(DISTINCT x.privilege_type || CASE WHEN x.is_grantable THEN '*' ELSE '' END, ', ') AS privileges
  FROM based b, aclexplode(b.${acl}) x WHERE pg_get_userbyid(x.grantee) <> ALL ($2::text[]) GROUP BY 1, 2, 3, 4`;

/**
 * SQL: the grants of an unmodified object. `public` is identified by its name: one that was recreated has no initial privileges from
 * initdb, but after a restore, which does not create it, it has.
 */
const BASE = `CASE WHEN o.classid = 'pg_namespace'::regclass AND o.objid = to_regnamespace('public')
  THEN o.standard || makeaclitem(0, o.owner, 'USAGE', false) ELSE coalesce(p.initprivs, o.standard) END`;

/** Owners, grants, default privileges. */
export const rightsQueries: ObjectQueries = () => [
  {
    about: 'owners',
    sql: OWNED.map(
      ({ catalog, owner, schema, where }) =>
        `SELECT 'owner' AS kind, i.type || ' ' || i.identity AS name, quote_ident(pg_get_userbyid(${owner})) AS definition
         FROM ${catalog} o ${schema === null ? '' : `JOIN pg_namespace n ON n.oid = ${schema}`}, pg_identify_object('${catalog}'::regclass, o.oid, 0) i
         WHERE ${where} AND ${schema === null ? `${DATABASE_WIDE} AND o.oid >= 16384` : inScope('n')} AND ${notOfExtension(catalog, 'o.oid')}`,
    ).join('\n UNION ALL '),
  },
  {
    about: 'grants',
    // Grants are recorded as the difference from those of an unmodified object: from its default, or from what initdb
    // or its extension had set. That is what pg_dump writes down, and it makes an absent list equal to an explicit default.
    // The grantor is left out: a restore grants everything as the owner.
    sql: `WITH objects AS (${grantedObjects()}),
     based AS MATERIALIZED (SELECT o.*, ${BASE} AS base FROM objects o
       LEFT JOIN pg_init_privs p ON p.classoid = o.classid AND p.objoid = o.objid AND p.objsubid = o.subid
       WHERE o.acl IS DISTINCT FROM ${BASE}),
     actual AS (${EXPLODED('acl')}), untouched AS (${EXPLODED('base')})
     SELECT 'grant' AS kind, i.type || ' ' || i.identity || ' to ' || CASE d.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(d.grantee)) END AS name,
       d.privileges AS definition
     FROM (SELECT classid, objid, subid, grantee, coalesce(a.privileges, 'nothing') AS privileges FROM actual a
       FULL JOIN untouched u USING (classid, objid, subid, grantee) WHERE a.privileges IS DISTINCT FROM u.privileges) d,
       pg_identify_object(d.classid, d.objid, d.subid) i`,
  },
  { about: 'default privileges', sql: defaultPrivileges(`${inScope('n')} OR (n.oid IS NULL AND ${DATABASE_WIDE})`) },
  { about: "default privileges of a tenant's owner", only: 'tenant', sql: defaultPrivileges(OF_ALL_SCHEMAS) },
];

function defaultPrivileges(where: string): string {
  return `SELECT 'default_privileges' AS kind,
       'of ' || quote_ident(pg_get_userbyid(a.defaclrole)) || coalesce(' in ' || quote_ident(n.nspname), '') || ' on ' || a.defaclobjtype::text AS name,
       coalesce((SELECT string_agg(CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(x.grantee)) END || ': ' || x.privilege_type
           || CASE WHEN x.is_grantable THEN '*' ELSE '' END, ', ' ORDER BY pg_get_userbyid(x.grantee), x.privilege_type)
         FROM aclexplode(a.defaclacl) x WHERE pg_get_userbyid(x.grantee) <> ALL ($2::text[])), 'nothing') AS definition
     FROM pg_default_acl a LEFT JOIN pg_namespace n ON n.oid = a.defaclnamespace WHERE ${where}`;
}
