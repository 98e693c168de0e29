import type { PostgresSession } from '../connect.ts';
import type { LeftOut } from '../manifest.ts';
import type { ObjectQuery } from './objects/query.ts';
import { applies } from './objects/read.ts';
import { ANY_SCOPE, inScope, notOfExtension, qualified, type Scope, scopeParameter } from './scope.ts';

/** One kind of thing that exists in a source and is in no archive of it. */
interface LeftOutQuery {
  readonly only?: NonNullable<ObjectQuery['only']>;
  /** Returns rows of `kind`, `name` and `reason`; `$1` is `scopeParameter`. */
  readonly sql: string;
}

const QUERIES: readonly LeftOutQuery[] = [
  {
    // The rest of a CREATE INDEX CONCURRENTLY that failed.
    sql: `SELECT 'index' AS kind, ${qualified('n.nspname', 'c.relname')} AS name,
       'It is not valid, and pg_dump leaves it out. Build it again with REINDEX, or drop it.' AS reason
     FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE NOT i.indisvalid AND c.relkind = 'i' AND ${inScope('n')} AND ${notOfExtension('pg_class', 'i.indrelid')}`,
  },
  {
    sql: `SELECT 'trigger' AS kind, ${qualified('n.nspname', 'c.relname')} || ' (' || string_agg(DISTINCT quote_ident(k.conname), ', ') || ')' AS name,
       'Triggers that check a foreign key are switched off or changed (ALTER TABLE ... DISABLE TRIGGER ALL); a restore switches them on.' AS reason
     FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_constraint k ON k.oid = t.tgconstraint
     WHERE t.tgisinternal AND t.tgenabled <> 'O' AND k.contype = 'f' AND ${inScope('n')} AND ${notOfExtension('pg_class', 'c.oid')}
     GROUP BY n.nspname, c.relname`,
  },
  {
    // The columns of the parents come first after a restore, each in the order of its parent.
    sql: `SELECT 'column_order' AS kind, ${qualified('n.nspname', 'c.relname')} AS name,
       'Its columns come back in another order: those of its parent first. Name the columns in INSERT and SELECT.' AS reason
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'f') AND NOT c.relispartition AND ${inScope('n')} AND ${notOfExtension('pg_class', 'c.oid')}
       AND EXISTS (SELECT FROM pg_attribute own JOIN pg_attribute inherited ON inherited.attrelid = own.attrelid
         WHERE own.attrelid = c.oid AND own.attnum > 0 AND inherited.attnum > own.attnum AND NOT own.attisdropped AND NOT inherited.attisdropped
           AND own.attinhcount = 0 AND inherited.attinhcount > 0)`,
  },
  {
    sql: `SELECT CASE c.relkind WHEN 'i' THEN 'index' WHEN 'I' THEN 'index' WHEN 'm' THEN 'materialized_view' ELSE 'table' END AS kind,
       ${qualified('n.nspname', 'c.relname')} AS name,
       'It lies in the tablespace ' || quote_ident(s.spcname) || '; a restore puts it into the default tablespace.' AS reason
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_tablespace s ON s.oid = c.reltablespace
     WHERE s.spcname <> 'pg_default' AND ${inScope('n')} AND c.relkind IN ('r', 'p', 'm', 'i', 'I') AND ${notOfExtension('pg_class', 'c.oid')}`,
  },
  {
    only: 'tenant',
    sql: `SELECT 'publication' AS kind, quote_ident(p.pubname) AS name,
       'It contains tables of the tenant; a tenant export contains no publications.' AS reason
     FROM pg_publication p WHERE EXISTS (SELECT FROM pg_publication_tables t WHERE t.pubname = p.pubname AND t.schemaname = ANY ($1::text[]))`,
  },
  {
    only: 'tenant',
    sql: `SELECT 'statistics' AS kind, ${qualified('m.nspname', 's.stxname')} AS name,
       'It is about a table of the tenant and lies in another schema; a tenant export does not contain it.' AS reason
     FROM pg_statistic_ext s JOIN pg_namespace m ON m.oid = s.stxnamespace JOIN pg_class c ON c.oid = s.stxrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE m.oid <> n.oid AND ${inScope('n')}`,
  },
  {
    only: 'database-wide',
    sql: `SELECT 'subscription' AS kind, quote_ident(s.subname) AS name,
       'A restore into a project leaves it out: a copy would take the changes that the original waits for. pg_restore as a superuser brings it back disabled and without its replication slot.' AS reason
     FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid WHERE d.datname = current_database() AND ${ANY_SCOPE}`,
  },
  {
    // Without the right to see the options, pg_dump writes the user mapping without them.
    only: 'database-wide',
    sql: `SELECT 'user_mapping' AS kind, coalesce(quote_ident(m.usename), 'PUBLIC') || ' on ' || quote_ident(m.srvname) AS name,
       'The role that dumps may not read its options, so it comes back without user name and password. Set them with ALTER USER MAPPING.' AS reason
     FROM pg_user_mappings m JOIN pg_foreign_server s ON s.oid = m.srvid
     WHERE ${ANY_SCOPE} AND m.umoptions IS NULL AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
       AND NOT (m.umuser <> 0 AND m.usename = current_user)`,
  },
  {
    only: 'tenant',
    sql: `SELECT 'large_object' AS kind, 'large objects' AS name, 'Large objects belong to no schema; a tenant export contains none.' AS reason
     WHERE EXISTS (SELECT FROM pg_largeobject_metadata l JOIN pg_namespace n ON n.nspowner = l.lomowner WHERE n.nspname = ANY ($1::text[]))`,
  },
];

/** Reads what exists in the scope and is in no archive of it, or comes back changed from every archive. */
export async function readLeftOut(session: PostgresSession, scope: Scope): Promise<LeftOut[]> {
  const applicable = QUERIES.filter((query) => applies(query, scope));
  const rows = await session.query<LeftOut>(applicable.map(({ sql }) => sql).join('\nUNION ALL '), [scopeParameter(scope)]);
  return rows
    .map(({ kind, name, reason }) => ({ kind, name, reason }))
    .sort((a, b) => compareTexts(a.kind, b.kind) || compareTexts(a.name, b.name));
}

function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
