import { setTimeout as delay } from 'node:timers/promises';
import { FluxError } from '@flux/contract/errors';
import { connectPostgres, type PostgresSession, sqlStateOf } from '../../postgres/connect.ts';
import { type Blocker, blockersInWords, howToUnblock } from '../../postgres/lock-watch.ts';
import { quoteIdentifier } from '../../postgres/sql/quote.ts';
import type { PostgresTarget } from '../../postgres/target.ts';
import type { Log } from '../../system/log.ts';
import type { WriteBlock } from '../pooled.ts';
import type { TenantNames } from './names.ts';
import { allowDdl, refuseDdl } from './refuse-ddl.ts';

const TIMEOUT_MS = 10_000;
/** lock_not_available, deadlock_detected. */
const CONFLICTS = new Set(['55P03', '40P01']);

/**
 * Locks every table of the schema in EXCLUSIVE mode: SELECT and pg_dump continue, sessions that would write or lock rows wait.
 * A lock ends with its session, so no crash leaves one behind. It is requested with short timeouts again and again, since
 * every later session would wait for the same transaction that we wait for. Before that, everything is refused that would create, alter or
 * drop something, and what had begun to do so has ended.
 *
 * @param admin a superuser in the shared database
 */
export async function blockTenantWrites(admin: PostgresTarget, names: TenantNames, log: Log, signal: AbortSignal): Promise<WriteBlock> {
  const { schema, ddl, login } = names;
  const settings = { lock_timeout: '1s', statement_timeout: '0', idle_in_transaction_session_timeout: '0' };
  const session = await connectPostgres(admin, { settings, signal });
  // Never throws: what the block was for may be done by then, or has failed for a reason of its own. The locks end with the session,
  // and `repair` or the removal of the tenant end the rest.
  const release = async () => {
    try {
      await session.close();
      // The session of the locks may be lost, and be what is disposed of because of that.
      await using another = await connectPostgres(admin, { settings });
      await allowDdl(another, names);
    } catch (error) {
      log.warn({ err: error, schema }, 'what refused changes to a schema during its move is still there');
    }
  };
  const deadline = performance.now() + TIMEOUT_MS;
  const waitUntil = async (isDone: () => Promise<boolean>) => {
    for (; !(await isDone()); await delay(100, undefined, { signal })) {
      signal.throwIfAborted();
      if (performance.now() > deadline) throw await writersRemain(session, [ddl, login]);
    }
  };
  try {
    await refuseDdl(session, names);
    const writing = await listWriting(session, [ddl, login]);
    await waitUntil(async () => (await listWriting(session, [ddl, login])).every((one) => !writing.includes(one)));
    await waitUntil(() => lockTables(session, schema));
  } catch (error) {
    await release();
    throw error;
  }
  return {
    async assertUnbroken() {
      try {
        await session.query('select 1');
      } catch (cause) {
        throw new FluxError('instance_unavailable', 'The session that blocked writes was lost, so another session may have written data.', {
          hint: 'Nothing was changed. Run the command again.',
          cause,
        });
      }
    },
    [Symbol.asyncDispose]: release,
  };
}

async function lockTables(session: PostgresSession, schema: string): Promise<boolean> {
  await session.run('BEGIN');
  try {
    const tables = await listTables(session, schema);
    if (tables.length > 0) await session.run(`LOCK TABLE ${tables.join(', ')} IN EXCLUSIVE MODE`);
    // A table that was created while waiting for another one is not locked yet.
    if ((await listTables(session, schema)).every((name) => tables.includes(name))) return true;
  } catch (error) {
    // undefined_table: one was dropped while waiting.
    if (!CONFLICTS.has(sqlStateOf(error) ?? '') && sqlStateOf(error) !== '42P01') throw error;
  }
  await session.run('ROLLBACK');
  return false;
}

/** Ordered by OID, the order in which pg_dump locks them. */
async function listTables(session: PostgresSession, schema: string): Promise<string[]> {
  const rows = await session.query<{ name: string }>(
    `select relname as name from pg_catalog.pg_class where relnamespace = (select oid from pg_catalog.pg_namespace where nspname = $1)
       and relkind in ('r', 'p') order by oid`,
    [schema],
  );
  return rows.map(({ name }) => `${quoteIdentifier(schema)}.${quoteIdentifier(name)}`);
}

/** Transactions that have written something. */
async function listWriting(session: PostgresSession, roles: readonly string[]): Promise<string[]> {
  const rows = await session.query<{ transaction: string }>(
    `select pid || '/' || backend_xid::text as transaction from pg_catalog.pg_stat_activity where usename = any($1) and backend_xid is not null`,
    [roles],
  );
  return rows.map(({ transaction }) => transaction);
}

async function writersRemain(session: PostgresSession, roles: readonly string[]): Promise<FluxError> {
  const open = await session.query<Blocker>(
    `select pid, usename::text as role, state, to_char(xact_start at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as since
     from pg_catalog.pg_stat_activity where usename = any($1) and xact_start is not null order by xact_start`,
    [roles],
  );
  return new FluxError(
    'not_ready',
    `Writes could not be blocked within ${TIMEOUT_MS / 1000} s: ${open.length} sessions of the project are in a transaction. ${
      open.length === 0 ? '' : blockersInWords(open.slice(0, 3))
    }`.trim(),
    { hint: `Nothing was changed. ${howToUnblock(open)}; then run the command again.`, details: { blockers: open } },
  );
}
