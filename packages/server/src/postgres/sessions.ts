import { setTimeout as delay } from 'node:timers/promises';
import { FluxError } from '@flux/contract/errors';
import type { PostgresSession } from './connect.ts';

/** Which sessions: those of some roles, those in some databases, or those of `identityOf`; never the current one. */
export type SessionFilter =
  | { readonly roles: readonly string[] }
  | { readonly databases: readonly string[] }
  | { readonly sessions: readonly string[] };

/** Process id with start time, since process ids are reused. */
const IDENTITY = `pid || '/' || extract(epoch from backend_start)`;

export interface EndSessionsOptions {
  /**
   * `all`: until none is left; revoke the right to log in first, or reconnecting clients make this time out. `present`:
   * only those that exist when the call begins.
   */
  readonly which: 'all' | 'present';
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
}

/** Postgres ends a session when it next checks for interrupts, which rarely takes longer than this. */
const TIMEOUT_MS = 10_000;
const POLL_MS = 20;

/**
 * Terminates sessions and returns when they have ended. Also works inside a transaction.
 *
 * @throws FluxError `instance_unavailable` when some do not end within the timeout
 */
export async function endSessions(session: PostgresSession, filter: SessionFilter, options: EndSessionsOptions): Promise<void> {
  const { which, timeoutMs = TIMEOUT_MS, signal } = options;
  const present = which === 'present' ? await terminate(session, filter) : undefined;
  for (const deadline = performance.now() + timeoutMs; ; await delay(POLL_MS, undefined, { signal })) {
    const alive = await terminate(session, filter, present);
    if (alive.length === 0) return;
    if (performance.now() > deadline) throw stillThere(filter, alive);
  }
}

/**
 * Terminates sessions repeatedly until aborted, new ones included: for a statement that needs all of them to be gone at the same moment and
 * admits nobody from then on.
 */
export async function keepEndingSessions(session: PostgresSession, filter: SessionFilter, until: AbortSignal): Promise<void> {
  while (!until.aborted) {
    await terminate(session, filter);
    // The only rejection is the abort that ends the loop.
    await delay(POLL_MS, undefined, { signal: until }).catch(() => undefined);
  }
}

/** What tells a session from all others of its server, also those that come after it. */
export async function identityOf(session: PostgresSession): Promise<string> {
  const [row] = await session.query<{ identity: string }>(
    `select ${IDENTITY} as identity from pg_catalog.pg_stat_activity where pid = pg_catalog.pg_backend_pid()`,
  );
  if (row === undefined) throw new Error('the server does not show the session that asks');
  return row.identity;
}

/** @returns the identities of those that were alive and are now being terminated */
async function terminate(session: PostgresSession, filter: SessionFilter, only?: readonly string[]): Promise<string[]> {
  // Within a transaction Postgres would keep showing the same snapshot of sessions.
  await session.query('select pg_catalog.pg_stat_clear_snapshot()');
  const [column, values] =
    'roles' in filter ? ['usename', filter.roles] : 'databases' in filter ? ['datname', filter.databases] : [IDENTITY, filter.sessions];
  const rows = await session.query<{ session: string }>(
    `select ${IDENTITY} as session, pg_catalog.pg_terminate_backend(pid) from pg_catalog.pg_stat_activity
     where ${column} = any($1) and pid <> pg_catalog.pg_backend_pid() and ($2::text[] is null or ${IDENTITY} = any($2))`,
    [values, only ?? null],
  );
  return rows.map((row) => row.session);
}

function stillThere(filter: SessionFilter, alive: readonly string[]): FluxError {
  return new FluxError('instance_unavailable', `${alive.length} sessions ${whoseWords(filter)} do not end.`, {
    hint: 'Run the same command again; see `pg_stat_activity` for what they are doing.',
  });
}

function whoseWords(filter: SessionFilter): string {
  if ('sessions' in filter) return 'of Flux';
  return 'roles' in filter ? `of ${filter.roles.join(', ')}` : `in ${filter.databases.join(', ')}`;
}
