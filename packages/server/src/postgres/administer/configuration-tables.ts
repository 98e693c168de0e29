import type { PostgresSession } from '../connect.ts';
import { quoteIdentifier } from '../sql/quote.ts';

/** Privileges for the time of a restore, which are revoked after it. */
export interface TemporaryPrivileges {
  readonly granted: readonly string[];
  readonly revoke: readonly string[];
}

/**
 * Privileges that let the owner restore rows into tables of extensions that pg_dump dumps (`pg_extension_config_dump`), and create servers of
 * foreign data wrappers. The owner itself restores them: nothing that the rows make run, runs as the administrator.
 */
export async function temporaryPrivileges(session: PostgresSession, owner: string): Promise<TemporaryPrivileges> {
  const rows = await session.query<{ privilege: string; target: string }>(
    `SELECT DISTINCT p.privilege, p.target FROM pg_extension e CROSS JOIN LATERAL unnest(e.extconfig) AS t(oid)
       JOIN pg_class c ON c.oid = t.oid JOIN pg_namespace n ON n.oid = c.relnamespace CROSS JOIN LATERAL (VALUES
         (CASE c.relkind WHEN 'S' THEN 'UPDATE' ELSE 'INSERT' END,
          CASE c.relkind WHEN 'S' THEN 'SEQUENCE ' ELSE 'TABLE ' END || quote_ident(n.nspname) || '.' || quote_ident(c.relname)),
         (CASE WHEN n.nspname = 'public' OR pg_get_userbyid(n.nspowner) = $1 THEN NULL ELSE 'USAGE' END, 'SCHEMA ' || quote_ident(n.nspname))
       ) AS p(privilege, target) WHERE p.privilege IS NOT NULL AND pg_get_userbyid(c.relowner) <> $1
     UNION ALL SELECT 'USAGE', 'FOREIGN DATA WRAPPER ' || quote_ident(w.fdwname) FROM pg_foreign_data_wrapper w`,
    [owner],
  );
  const role = quoteIdentifier(owner);
  const guarded = await guardedTables(session);
  return {
    granted: [
      ...rows.map(({ privilege, target }) => `GRANT ${privilege} ON ${target} TO ${role}`),
      ...guarded.map((table) => `ALTER TABLE ${table} DISABLE ROW LEVEL SECURITY`),
    ],
    revoke: [
      ...guarded.map((table) => `ALTER TABLE ${table} ENABLE ROW LEVEL SECURITY`),
      ...rows.map(({ privilege, target }) => `REVOKE ${privilege} ON ${target} FROM ${role}`),
    ],
  };
}

/**
 * Configuration tables whose rows a policy guards, which pg_restore refuses to load as another than their owner: those of pg_cron. A row there
 * names the role that a job runs as, so no server of ours runs jobs (`preloadSettings`). Tables of other extensions stay guarded.
 */
async function guardedTables(session: PostgresSession): Promise<string[]> {
  const rows = await session.query<{ name: string }>(
    `SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS name FROM pg_extension e CROSS JOIN LATERAL unnest(e.extconfig) AS t(oid)
       JOIN pg_class c ON c.oid = t.oid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE e.extname = 'pg_cron' AND c.relkind = 'r' AND c.relrowsecurity`,
  );
  return rows.map(({ name }) => name);
}
