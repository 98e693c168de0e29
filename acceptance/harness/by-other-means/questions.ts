/**
 * What is asked of a database besides its rows and its `pg_dump -s`. Every question gives rows of (name, value) about the schemas
 * `$schemas` (a condition on `n.nspname`); it has to be stable: the same in each database with the same content.
 *
 * Written for this purpose alone: nothing here is shared with the product, whose own questions it is to check.
 */
export interface Question {
  /** What it is about, as findings name it. */
  readonly aspect: string;
  readonly sql: string;
  /** True for what only a whole database has; not asked about one schema of it. */
  readonly ofDatabase?: boolean;
}

/** Rows of a list of rights: who may do what, by whose leave, and whether it may be handed on. */
const rights = (what: string, acl: string, from: string) => `
  select ${what} || ': ' || a.privilege_type || ' to ' || coalesce(nullif(a.grantee, 0)::regrole::text, 'public') || ' by ' || a.grantor::regrole,
    case when a.is_grantable then 'may be handed on' else 'granted' end
  from ${from} cross join lateral aclexplode(${acl}) a`;

/** Of one schema, what an extension put there is not the schema's own: `$whole` is true for a whole database. */
const notMember = (catalog: string, alias: string) =>
  `and ($whole or not exists (select from pg_depend e where e.classid = '${catalog}'::regclass and e.objid = ${alias}.oid and e.deptype = 'e'))`;

const ownedBy = (what: string, owner: string, from: string) => `select ${what}, ${owner}::regrole::text from ${from}`;

const RELATIONS = `pg_class c join pg_namespace n on n.oid = c.relnamespace where $schemas and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S') ${notMember('pg_class', 'c')}`;
const FUNCTIONS = `pg_proc p join pg_namespace n on n.oid = p.pronamespace where $schemas ${notMember('pg_proc', 'p')}`;
const TYPES = `pg_type t join pg_namespace n on n.oid = t.typnamespace where $schemas and t.typelem = 0
  and (t.typrelid = 0 or exists (select from pg_class c where c.oid = t.typrelid and c.relkind = 'c')) ${notMember('pg_type', 't')}`;
/** A condition cannot stand between a table and its lateral join. */
const asRows = (columns: string, from: string) => `(select ${columns} from ${from}) o`;

/** Roles that own something in this database, hold a right in it, or are members of such a role. */
const ROLES_HERE = `(with recursive here(oid) as (
    select refobjid from pg_shdepend where refclassid = 'pg_authid'::regclass and dbid = (select oid from pg_database where datname = current_database())
    union select m.member from here join pg_auth_members m on m.roleid = here.oid)
  select r.* from pg_roles r join here using (oid) where r.oid >= 16384) r`;

export const QUESTIONS: readonly Question[] = [
  {
    aspect: 'database',
    ofDatabase: true,
    sql: `select v.* from pg_database d, lateral (values ('encoding', pg_encoding_to_char(d.encoding)), ('lc_collate', d.datcollate), ('lc_ctype', d.datctype),
        ('locale provider', d.datlocprovider::text), ('locale', coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale')),
        ('connection limit', d.datconnlimit::text), ('allows connections', d.datallowconn::text), ('owner', d.datdba::regrole::text),
        ('comment', shobj_description(d.oid, 'pg_database')), ('lc_monetary', regexp_replace(current_setting('lc_monetary'), '^(C\\.(UTF-8|utf8)|POSIX)$', 'C'))) v
      where d.datname = current_database()`,
  },
  {
    aspect: 'setting of the database',
    ofDatabase: true,
    sql: `select coalesce(r.rolname || ': ', '') || split_part(c, '=', 1), substr(c, strpos(c, '=') + 1)
      from pg_db_role_setting s left join pg_roles r on r.oid = s.setrole cross join lateral unnest(s.setconfig) c
      where s.setdatabase = (select oid from pg_database where datname = current_database())`,
  },
  {
    aspect: 'setting of a role',
    ofDatabase: true,
    sql: `select r.rolname || ': ' || split_part(c, '=', 1), substr(c, strpos(c, '=') + 1)
      from ${ROLES_HERE} join pg_db_role_setting s on s.setrole = r.oid and s.setdatabase = 0 cross join lateral unnest(s.setconfig) c`,
  },
  {
    aspect: 'role',
    ofDatabase: true,
    sql: `select r.rolname, concat_ws(' ', case when rolsuper then 'superuser' end, case when rolinherit then 'inherit' end, case when rolcreaterole then 'createrole' end,
        case when rolcreatedb then 'createdb' end, case when rolcanlogin then 'login' end, case when rolbypassrls then 'bypassrls' end,
        'limit ' || rolconnlimit, 'until ' || rolvaliduntil) from ${ROLES_HERE}`,
  },
  {
    aspect: 'membership',
    ofDatabase: true,
    sql: `select r.rolname || ' in ' || m.roleid::regrole, to_jsonb(m) - 'oid' - 'roleid' - 'member' - 'grantor' #>> '{}'
      from ${ROLES_HERE} join pg_auth_members m on m.member = r.oid where m.roleid >= 16384`,
  },
  {
    aspect: 'right on the database',
    ofDatabase: true,
    sql: rights(
      `'the database'`,
      `coalesce(o.datacl, acldefault('d', o.datdba))`,
      asRows('*', 'pg_database where datname = current_database()'),
    ),
  },
  {
    aspect: 'right on a setting',
    ofDatabase: true,
    // Of the whole cluster; what counts are those of the roles that this database knows.
    sql: `select p.parname || ': ' || a.privilege_type || ' to ' || r.rolname, case when a.is_grantable then 'may be handed on' else 'granted' end
      from pg_parameter_acl p cross join lateral aclexplode(p.paracl) a join ${ROLES_HERE} on r.oid = a.grantee`,
  },
  { aspect: 'owner', sql: ownedBy('c.oid::regclass::text', 'c.relowner', RELATIONS) },
  { aspect: 'owner', sql: ownedBy('p.oid::regprocedure::text', 'p.proowner', FUNCTIONS) },
  { aspect: 'owner', sql: ownedBy(`'type ' || t.oid::regtype`, 't.typowner', TYPES) },
  { aspect: 'owner', ofDatabase: true, sql: ownedBy(`'large object ' || o.oid`, 'o.lomowner', 'pg_largeobject_metadata o') },
  { aspect: 'owner', sql: ownedBy(`'schema ' || n.nspname`, 'n.nspowner', 'pg_namespace n where $schemas') },
  {
    aspect: 'right',
    sql: rights(
      'o.name',
      'o.acl',
      asRows(
        `c.oid::regclass::text as name, coalesce(c.relacl, acldefault((case c.relkind when 'S' then 's' else 'r' end)::"char", c.relowner)) as acl`,
        RELATIONS,
      ),
    ),
  },
  {
    aspect: 'right',
    sql: rights(
      'o.name',
      'o.attacl',
      asRows(
        `c.oid::regclass || '.' || quote_ident(a.attname) as name, a.attacl`,
        `pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace where $schemas and not a.attisdropped`,
      ),
    ),
  },
  {
    aspect: 'right',
    sql: rights(
      'o.name',
      'o.acl',
      asRows(`p.oid::regprocedure::text as name, coalesce(p.proacl, acldefault('f', p.proowner)) as acl`, FUNCTIONS),
    ),
  },
  {
    aspect: 'right',
    sql: rights(
      'o.name',
      'o.acl',
      asRows(`'type ' || t.oid::regtype as name, coalesce(t.typacl, acldefault('T', t.typowner)) as acl`, TYPES),
    ),
  },
  {
    aspect: 'right',
    sql: rights(
      'o.name',
      'o.acl',
      asRows(`'schema ' || n.nspname as name, coalesce(n.nspacl, acldefault('n', n.nspowner)) as acl`, 'pg_namespace n where $schemas'),
    ),
  },
  {
    aspect: 'right',
    ofDatabase: true,
    sql: rights(`'language ' || o.lanname`, 'o.lanacl', 'pg_language o'),
  },
  {
    aspect: 'right',
    ofDatabase: true,
    sql: rights(`'wrapper ' || o.fdwname`, `coalesce(o.fdwacl, acldefault('F', o.fdwowner))`, 'pg_foreign_data_wrapper o'),
  },
  {
    aspect: 'right',
    ofDatabase: true,
    sql: rights(`'server ' || o.srvname`, `coalesce(o.srvacl, acldefault('S', o.srvowner))`, 'pg_foreign_server o'),
  },
  {
    aspect: 'right',
    ofDatabase: true,
    sql: rights(`'large object ' || o.oid`, `coalesce(o.lomacl, acldefault('L', o.lomowner))`, 'pg_largeobject_metadata o'),
  },
  {
    aspect: 'default right',
    sql: rights(
      `'default of ' || o.defaclrole::regrole || coalesce(' in ' || n.nspname, '') || ' for ' || o.defaclobjtype::text`,
      'o.defaclacl',
      '(select d.* from pg_default_acl d left join pg_namespace n on n.oid = d.defaclnamespace where $schemas or n.oid is null and $roles) o left join pg_namespace n on n.oid = o.defaclnamespace',
    ),
  },
  {
    aspect: 'large object',
    ofDatabase: true,
    sql: `select oid::text, md5(lo_get(oid)) || coalesce(' ' || obj_description(oid, 'pg_largeobject'), '') from pg_largeobject_metadata`,
  },
  {
    aspect: 'order of columns',
    sql: `select c.oid::regclass::text, (select string_agg(quote_ident(a.attname), ', ' order by a.attnum) from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped)
      from pg_class c join pg_namespace n on n.oid = c.relnamespace where $schemas and c.relkind in ('r', 'p', 'v', 'm', 'f', 'c')`,
  },
  {
    aspect: 'comment',
    sql: `select i.type || ' ' || i.identity, d.description
      from pg_description d cross join lateral pg_identify_object(d.classoid, d.objoid, d.objsubid) i
      -- What belongs to a table has no schema of its own.
      left join pg_class t on t.oid = coalesce((select tgrelid from pg_trigger where oid = d.objoid and d.classoid = 'pg_trigger'::regclass),
        (select polrelid from pg_policy where oid = d.objoid and d.classoid = 'pg_policy'::regclass),
        (select ev_class from pg_rewrite where oid = d.objoid and d.classoid = 'pg_rewrite'::regclass))
      left join pg_namespace n on n.oid = t.relnamespace or n.nspname = coalesce(i.schema, case when i.type = 'schema' then i.name end)
      -- A comment can outlive its object.
      where i.identity is not null and (d.objoid >= 16384 and (n.oid is null and $whole or ($schemas)) or d.classoid = 'pg_namespace'::regclass and i.name = 'public' and ($schemas))`,
  },
  {
    aspect: 'index',
    sql: `select i.indexrelid::regclass::text, concat_ws(' ', case when i.indisvalid then 'valid' else 'not valid' end, case when i.indisready then 'ready' end)
      from pg_index i join pg_class c on c.oid = i.indexrelid join pg_namespace n on n.oid = c.relnamespace where $schemas`,
  },
  {
    aspect: 'trigger',
    // A foreign key that a partition has from its parent gets its name from the server.
    sql: `select t.tgrelid::regclass || ' ' || coalesce((select case when k.conparentid = 0 then k.conname else 'from its parent' end || ' ' || t.tgfoid::regproc || ' ' || t.tgtype from pg_constraint k where k.oid = t.tgconstraint), t.tgname), t.tgenabled::text
      from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_namespace n on n.oid = c.relnamespace where $schemas`,
  },
  {
    aspect: 'tablespace',
    sql: `select c.oid::regclass::text, s.spcname from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_tablespace s on s.oid = c.reltablespace where $schemas`,
  },
  {
    aspect: 'extension',
    ofDatabase: true,
    sql: `select e.extname, e.extversion || ' in ' || n.nspname || ', tables ' || coalesce((select string_agg(x.t::regclass::text, ' ' order by x.t::regclass::text) from unnest(e.extconfig) x(t)), 'none') from pg_extension e join pg_namespace n on n.oid = e.extnamespace`,
  },
  {
    aspect: 'member of an extension',
    ofDatabase: true,
    // Since 18 the array type of a member is one too; it comes and goes with its element type.
    sql: `select i.type || ' ' || i.identity, e.extname from pg_depend d join pg_extension e on e.oid = d.refobjid cross join lateral pg_identify_object(d.classid, d.objid, d.objsubid) i
      where d.deptype = 'e' and d.refclassid = 'pg_extension'::regclass
        and not (d.classid = 'pg_type'::regclass and exists (select from pg_type t where t.typarray = d.objid))`,
  },
  {
    aspect: 'security label',
    sql: `select s.objtype || ' ' || s.objname, s.provider || ' ' || s.label from pg_seclabels s left join pg_namespace n on n.oid = s.objnamespace where n.oid is null and $whole or ($schemas)`,
  },
  {
    aspect: 'materialized view',
    sql: `select c.oid::regclass::text, case when c.relispopulated then 'filled' else 'not filled' end from pg_class c join pg_namespace n on n.oid = c.relnamespace where $schemas and c.relkind = 'm'`,
  },
];

/** Tables whose rows are compared: the roots of partitioned ones, not the parts; gives name, columns as expressions, and the word ONLY. */
export const TABLES = `
  select json_build_object('name', c.oid::regclass::text, 'only', case when c.relkind = 'r' then 'only ' else '' end, 'columns', coalesce(
    (select json_agg(json_build_array(quote_ident(a.attname), coalesce(nullif(t.typelem, 0), t.oid) in ('regclass'::regtype, 'regproc'::regtype, 'regprocedure'::regtype, 'regtype'::regtype,
        'regoper'::regtype, 'regoperator'::regtype, 'regrole'::regtype, 'regnamespace'::regtype)) order by a.attname)
      from pg_attribute a join pg_type t on t.oid = a.atttypid where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped), '[]'))
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where $schemas and not c.relispartition and (c.relkind in ('r', 'p') or c.relkind = 'm' and c.relispopulated)`;

/** Sequences, each with its two facts that decide what nextval gives. */
export const SEQUENCES = `select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace where $schemas and c.relkind = 'S'`;
