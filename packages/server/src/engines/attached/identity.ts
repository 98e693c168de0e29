import { connectPostgres } from '../../postgres/connect.ts';
import type { PostgresTarget } from '../../postgres/target.ts';

/** What tells one database from another. */
export interface DatabaseIdentity {
  /** Of the cluster, made by initdb; null where the login may not read it. */
  readonly system: string | null;
  readonly databaseOid: string;
  readonly database: string;
  /** Its tables, as SQL, of which a copy on another server has the same. */
  readonly tables: readonly string[];
}

/** Reads what tells a database from another; only names, no rows. @throws FluxError `instance_unavailable` */
export async function readIdentity(target: PostgresTarget, signal?: AbortSignal): Promise<DatabaseIdentity> {
  await using session = await connectPostgres(target, { signal, withinMs: target.lookWithinMs });
  const [row] = await session.query<Omit<DatabaseIdentity, 'system'> & { allowed: boolean }>(
    `SELECT d.oid::text AS "databaseOid", d.datname::text AS database, has_function_privilege('pg_control_system()', 'EXECUTE') AS allowed,
       ARRAY(SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY 1) AS tables
     FROM pg_database d WHERE d.datname = current_database()`,
  );
  if (row === undefined) throw new Error('pg_database does not list the current database');
  const { allowed, ...identity } = row;
  const [control] = allowed
    ? await session.query<{ system: string }>('SELECT system_identifier::text AS system FROM pg_control_system()')
    : [];
  return { ...identity, system: control?.system ?? null };
}
