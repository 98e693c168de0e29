import { FluxError, isFluxError } from '@flux/contract/errors';
import { connectPostgres, type PostgresSession } from '../../postgres/connect.ts';
import { databaseStatements } from '../../postgres/manifest/prerequisites/database-itself.ts';
import { keepEndingSessions } from '../../postgres/sessions.ts';
import { quoteIdentifier } from '../../postgres/sql/quote.ts';
import type { PostgresTarget } from '../../postgres/target.ts';
import { commitSwap } from '../commit-swap.ts';
import { replacedAtOf, type SwapOutcome, type UndoData, undoNameFor } from '../undo.ts';
import { copyDatabaseItself } from './database-itself.ts';

export interface DatabaseSwap {
  readonly live: string;
  readonly next: string;
  readonly previous: 'keep' | 'drop';
  /** From when on the replaced data is kept: the latest time that was seen, because a clock that is behind would let it go early. */
  readonly at: Date;
}

/**
 * Renames one database to the name of another, in one transaction: there is always one with that name, and a crash leaves either the old
 * or the new one. Renaming takes the lock that a new connection needs, so that none is accepted while the sessions of both are ended,
 * and waiting clients connect to the new one.
 *
 * @param admin a superuser in a third database
 * @throws FluxError `not_ready` when a prepared transaction or a session that does not end keeps the old one; what `commitSwap` throws
 */
export async function swapDatabases(
  admin: PostgresTarget,
  { live, next, previous, at }: DatabaseSwap,
  signal?: AbortSignal,
): Promise<SwapOutcome> {
  signal?.throwIfAborted();
  // From here on aborts are ignored: a connection that is dropped during COMMIT would leave open which of the two is live.
  await using session = await connectPostgres(admin);
  await using drain = await connectPostgres(admin);
  const existing = (await listUndoDatabases(session, live)).map(({ name }) => name);
  const undoName = undoNameFor(live, existing, at);
  const began = performance.now();
  const draining = new AbortController();
  // Without it the renaming fails, which says why.
  const drained = keepEndingSessions(drain, { databases: [live, next] }, draining.signal).catch(() => undefined);
  try {
    await session.run('BEGIN');
    await session.run(`ALTER DATABASE ${quoteIdentifier(live)} RENAME TO ${quoteIdentifier(undoName)}`);
    await session.run(`ALTER DATABASE ${quoteIdentifier(next)} RENAME TO ${quoteIdentifier(live)}`);
    // A client that could still write to the replaced database would believe that it is live.
    await session.run(`ALTER DATABASE ${quoteIdentifier(undoName)} WITH ALLOW_CONNECTIONS false`);
    await session.run(`ALTER DATABASE ${quoteIdentifier(live)} WITH ALLOW_CONNECTIONS true`);
    // Until the COMMIT nobody new gets in.
    draining.abort();
    await drained;
    await commitSwap({ session, admin, creates: undoName, isThere: hasDatabase, previous });
  } catch (error) {
    if (isFluxError(error)) throw error;
    throw new FluxError(
      'not_ready',
      `The database ${live} could not be swapped: ${error instanceof Error ? error.message : String(error)}`,
      {
        hint: 'Nothing was changed. End prepared transactions and sessions that do not end, then run the command again.',
        cause: error,
      },
    );
  } finally {
    draining.abort();
    await drained;
  }
  const outageMs = Math.round(performance.now() - began);
  if (previous === 'keep') return { undoName, outageMs };
  await using dropping = await connectPostgres(admin);
  await dropping.run(`DROP DATABASE ${quoteIdentifier(undoName)} WITH (FORCE)`);
  return { undoName: null, outageMs };
}

async function hasDatabase(session: PostgresSession, name: string): Promise<boolean> {
  return (await session.query('select from pg_catalog.pg_database where datname = $1', [name])).length > 0;
}

/** The databases that restores in place have replaced, newest first. */
export async function listUndoDatabases(session: PostgresSession, live: string): Promise<UndoData[]> {
  // -2 marks a database whose removal was interrupted (the manual, DROP DATABASE).
  const rows = await session.query<{ name: string; size: string; whole: boolean }>(
    `select datname as name, pg_catalog.pg_database_size(oid) as size, datconnlimit <> -2 as whole from pg_catalog.pg_database
     where left(datname, length($1)) = $1 and substr(datname, length($1) + 1) ~ '^_before_[0-9]{14}$' order by datname desc`,
    [live],
  );
  return rows.map(({ name, size, whole }) => ({ name, replacedAt: replacedAtOf(name), sizeBytes: Number(size), isWhole: whole }));
}

/** Copies what belongs to the live database itself, and is in no dump: its settings, also those of roles in it, comment, limit and grants. */
export async function copySettings(live: PostgresTarget, to: string): Promise<void> {
  await using session = await connectPostgres(live);
  await copyDatabaseItself(session, to);
  const rows = await session.query<{ role: string | null; entries: string[] }>(
    `select r.rolname as role, s.setconfig as entries from pg_catalog.pg_db_role_setting s left join pg_catalog.pg_roles r on r.oid = s.setrole
     where s.setdatabase = (select oid from pg_catalog.pg_database where datname = pg_catalog.current_database())`,
  );
  const objects = rows.flatMap(({ role, entries }) =>
    entries.map((entry) => {
      const at = entry.indexOf('=');
      const name = `${role === null ? '' : `${quoteIdentifier(role)}: `}${entry.slice(0, at)}`;
      return { kind: 'database_setting', name, definition: entry.slice(at + 1) };
    }),
  );
  for (const { sql } of databaseStatements(objects, quoteIdentifier(to))) await session.run(sql);
}
