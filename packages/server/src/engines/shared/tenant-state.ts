import type { PostgresSession } from '../../postgres/connect.ts';
import type { TenantNames } from './names.ts';

/** What a tenant's schema was like at a moment, apart from the rows of its tables and the values of its sequences. */
export interface TenantState {
  readonly digest: string;
  /** Changes that are not in the digest have a transaction id that is not older. */
  readonly xid: string;
}

/** Catalogs whose rows are in a schema, with the column that says in which. */
const IN_SCHEMA = {
  pg_class: 'relnamespace',
  pg_proc: 'pronamespace',
  pg_type: 'typnamespace',
  pg_constraint: 'connamespace',
  pg_operator: 'oprnamespace',
  pg_opclass: 'opcnamespace',
  pg_opfamily: 'opfnamespace',
  pg_collation: 'collnamespace',
  pg_conversion: 'connamespace',
  pg_ts_config: 'cfgnamespace',
  pg_ts_dict: 'dictnamespace',
  pg_ts_parser: 'prsnamespace',
  pg_ts_template: 'tmplnamespace',
  pg_statistic_ext: 'stxnamespace',
};

/** Catalogs whose rows belong to an object that is in a schema: that object's catalog, and the column with its OID. */
const OF_OBJECT = {
  pg_attribute: ['pg_class', 'attrelid'],
  pg_attrdef: ['pg_class', 'adrelid'],
  pg_index: ['pg_class', 'indexrelid'],
  pg_rewrite: ['pg_class', 'ev_class'],
  pg_trigger: ['pg_class', 'tgrelid'],
  pg_policy: ['pg_class', 'polrelid'],
  pg_inherits: ['pg_class', 'inhrelid'],
  pg_partitioned_table: ['pg_class', 'partrelid'],
  pg_sequence: ['pg_class', 'seqrelid'],
  pg_enum: ['pg_type', 'enumtypid'],
  pg_range: ['pg_type', 'rngtypid'],
  pg_cast: ['pg_type', 'castsource'],
  pg_amop: ['pg_opfamily', 'amopfamily'],
  pg_amproc: ['pg_opfamily', 'amprocfamily'],
  pg_ts_config_map: ['pg_ts_config', 'mapcfg'],
} as const;

/**
 * Every row of the system catalogs that is about the schema, with the transaction that wrote it: whatever is created, replaced, altered,
 * granted, commented on or truncated writes one. ANALYZE and VACUUM overwrite rows in place, and the transaction stays.
 *
 * $1 is the name of the schema, $2 that of its owner.
 */
const CATALOG_ROWS = `
  ns as (select oid from pg_namespace where nspname = $1),
  objects as (
    select 'pg_namespace'::regclass as class, oid, xmin::text as x from pg_namespace where nspname = $1
    ${Object.entries(IN_SCHEMA)
      .map(
        ([catalog, column]) =>
          `union all select '${catalog}'::regclass, oid, xmin::text from ${catalog}
           where ${column} = (select oid from ns)`,
      )
      .join('\n    ')}
  ),
  written as (
    select class, oid, class as of_class, x from objects
    ${Object.entries(OF_OBJECT)
      .map(
        ([catalog, [of, column]]) =>
          `union all select '${of}'::regclass, r.${column}, '${catalog}'::regclass,
             r.xmin::text
           from ${catalog} r join objects o on o.oid = r.${column} and o.class = '${of}'::regclass`,
      )
      .join('\n    ')}
    union all select o.class, o.oid, 'pg_description'::regclass, d.xmin::text
      from pg_description d join objects o on o.oid = d.objoid and o.class = d.classoid
    union all select 'pg_default_acl'::regclass, oid, 'pg_default_acl'::regclass, xmin::text
      from pg_default_acl
      where defaclnamespace = (select oid from ns) or defaclrole = (select oid from pg_roles where rolname = $2)
  )`;

/** Reads the state of a tenant's schema. @param session a superuser's, in the shared database */
export async function readTenantState(session: PostgresSession, { schema, ddl }: TenantNames): Promise<TenantState> {
  const [found] = await session.query<TenantState>(
    `with ${CATALOG_ROWS}
     select pg_snapshot_xmin(pg_current_snapshot())::xid::text as xid,
       md5((select coalesce(string_agg(class::oid || ' ' || oid || ' ' || of_class::oid || ' ' || x, ','
           order by class::oid, oid, of_class::oid, x), '') from written)
         || (select coalesce(string_agg(m::text, ',' order by m::text), '')
             from flux.flux_migrations m where tenant_schema = $1)) as digest`,
    [schema, ddl],
  );
  if (found === undefined) throw new Error('the state of a schema has no row');
  return found;
}

const MAX_NAMED = 10;

/** What has changed since a state was read, each in a few words; empty when nothing has. */
export async function listChangesSince(session: PostgresSession, names: TenantNames, before: TenantState): Promise<string[]> {
  if ((await readTenantState(session, names)).digest === before.digest) return [];
  const rows = await session.query<{ what: string }>(
    `with ${CATALOG_ROWS}
     select pg_describe_object(class, oid, 0) as what from written where age(x::xid) <= age($3::xid)
     group by class, oid order by class <> 'pg_class'::regclass, class, oid limit ${MAX_NAMED}`,
    [names.schema, names.ddl, before.xid],
  );
  return rows.length === 0 ? ['something that was dropped'] : rows.map(({ what }) => what);
}
