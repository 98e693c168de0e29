import type { PostgresSession } from '../../postgres/connect.ts';
import { quoteIdentifier } from '../../postgres/sql/quote.ts';
import { unlessLocked } from './owner-login.ts';

/** A restore, or the creation of an index, sorts whole tables: the owner of a schema, which only Flux logs in as, may write so many times as much. */
const OWNER_TIMES = 16;

/** The value of `temp_file_limit` for the owner of a schema, as SQL; undefined for the one of the database. */
export function ownerTempFiles(bytes: number | undefined): string | undefined {
  return bytes === undefined ? undefined : `'${kilobytes(bytes * OWNER_TIMES)}'`;
}

/**
 * Limits the temporary files of each session in the shared database. Only a superuser may set it, so no tenant can lift it, neither for a
 * session nor for its role; a server that users fill with temporary files takes the disk from all the others.
 *
 * @param session a superuser's, in the shared database
 */
export async function limitTempFiles(session: PostgresSession, bytes: number | undefined): Promise<void> {
  const wanted = bytes === undefined ? undefined : kilobytes(bytes);
  const [found] = await session.query<{ database: string; limit: string | null }>(
    `select pg_catalog.current_database()::text as database, (select pg_catalog.split_part(entry, '=', 2) from pg_catalog.pg_db_role_setting s, pg_catalog.unnest(s.setconfig) entry
       where s.setdatabase = (select oid from pg_catalog.pg_database where datname = pg_catalog.current_database()) and s.setrole = 0
         and entry like 'temp_file_limit=%') as limit`,
  );
  if (found === undefined || (found.limit ?? undefined) === wanted) return;
  const database = `ALTER DATABASE ${quoteIdentifier(found.database)}`;
  await session.run(wanted === undefined ? `${database} RESET temp_file_limit` : `${database} SET temp_file_limit = '${wanted}'`);
}

/** Gives the owners of all schemas their limit, those of an earlier release too. */
export async function limitOwners(session: PostgresSession, bytes: number | undefined): Promise<void> {
  const wanted = ownerTempFiles(bytes);
  const owners = await session.query<{ name: string; limit: string | null }>(
    `select rolname::text as name, (select pg_catalog.split_part(entry, '=', 2) from pg_catalog.unnest(rolconfig) entry where entry like 'temp_file_limit=%') as limit
     from pg_catalog.pg_roles where rolname ~ '^t_[0-9a-f]{12}_ddl$'`,
  );
  for (const { name, limit } of owners) {
    if (limit === (wanted?.replaceAll("'", '') ?? null)) continue;
    const role = `ALTER ROLE ${quoteIdentifier(name)}`;
    await unlessLocked(() =>
      session.run(wanted === undefined ? `${role} RESET temp_file_limit` : `${role} SET temp_file_limit = ${wanted}`),
    );
  }
}

function kilobytes(bytes: number): string {
  return `${Math.floor(bytes / 1024)}kB`;
}
