import { setTimeout as delay } from 'node:timers/promises';
import { FluxError } from '@flux/contract/errors';
import { connectPostgres, type PostgresSession, sqlStateOf } from './connect.ts';
import { keepSession } from './kept-session.ts';
import type { PostgresTarget } from './target.ts';

/** A session that has a lock which another one waits for. What it runs is not told: it may be secret. */
export interface Blocker {
  /** 0 is a prepared transaction, which belongs to no session. */
  readonly pid: number;
  readonly role: string | null;
  /** For example `idle in transaction`; null where the observer may not know. */
  readonly state: string | null;
  /** When its transaction began, ISO 8601 in UTC; null where the observer may not know. */
  readonly since: string | null;
}

/** Observes who keeps sessions of ours waiting. */
export interface LockWatch extends AsyncDisposable {
  /** Who blocked them when that was last looked at. */
  lastBlockers(): readonly Blocker[];
}

export interface LockWatchOptions {
  /** Which sessions are observed: all of one application, or one backend. */
  readonly of: { readonly applicationName: string } | { readonly pid: number };
  /** Called once, when one of them has waited for `limitMs`. */
  readonly onBlocked?: ((blockers: readonly Blocker[]) => void) | undefined;
  readonly limitMs?: number;
}

/** A wait for a lock that lasts longer is not waited for. */
export const LOCK_WAIT_MS = 30_000;
const POLL_MS = 2000;
const ANSWER_MS = 5000;

const WAITING = `
  SELECT w.pid AS waiting, w.query_start::text AS began, b.pid, a.usename::text AS role, a.state,
    to_char(a.xact_start AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS since
  FROM pg_stat_activity w CROSS JOIN LATERAL unnest(pg_blocking_pids(w.pid)) AS b(pid) LEFT JOIN pg_stat_activity a ON a.pid = b.pid
  WHERE (w.application_name = $1 OR w.pid = $2) AND w.datname = current_database() AND w.wait_event_type = 'Lock'`;

/**
 * Looks every two seconds, from the second on. A look that fails is not repeated before the next.
 *
 * @param observer a role that may see all sessions; where it may not, less is known of a blocker
 */
export function watchLocks(observer: PostgresTarget, options: LockWatchOptions): LockWatch {
  const { of, onBlocked, limitMs = LOCK_WAIT_MS } = options;
  const observed = 'pid' in of ? [null, of.pid] : [of.applicationName, null];
  const { applicationName: _, ...plain } = observer;
  const session = keepSession(() => plain);
  const ended = new AbortController();
  let blockers: readonly Blocker[] = [];
  let isTold = false;
  const since = new Map<string, number>();
  const look = async () => {
    const signal = AbortSignal.any([ended.signal, AbortSignal.timeout(ANSWER_MS)]);
    const rows = await session.query<Blocker & { waiting: number; began: string }>(WAITING, observed, signal);
    const now = performance.now();
    const present = new Map(rows.map((row) => [`${row.waiting} ${row.began}`, row]));
    for (const key of since.keys()) if (!present.has(key)) since.delete(key);
    for (const key of present.keys()) if (!since.has(key)) since.set(key, now);
    if (rows.length > 0) blockers = distinct(rows);
    if (isTold || ![...since.values()].some((from) => now - from >= limitMs)) return;
    isTold = true;
    onBlocked?.(blockers);
  };
  const loop = (async () => {
    while (!ended.signal.aborted) {
      // The only rejection is the abort that ends the loop.
      await delay(POLL_MS, undefined, { signal: ended.signal }).catch(() => undefined);
      if (!ended.signal.aborted) await look().catch(() => undefined);
    }
  })();
  return {
    lastBlockers: () => blockers,
    async [Symbol.asyncDispose]() {
      ended.abort();
      await loop;
      await session.close();
    },
  };
}

function distinct(rows: readonly Blocker[]): Blocker[] {
  return [...new Map(rows.map(({ pid, role, state, since }) => [pid, { pid, role, state, since }])).values()];
}

/** A sentence about who has the locks. */
export function blockersInWords(blockers: readonly Blocker[]): string {
  if (blockers.length === 0) return 'Another session has a lock that this needs.';
  return blockers
    .map(({ pid, role, state, since }) => {
      if (pid === 0) return 'A prepared transaction has a lock that this needs.';
      const facts = [...(since === null ? [] : [`in a transaction since ${since}`]), ...(state === null ? [] : [state])];
      return `Session ${pid}${role === null ? '' : ` of ${role}`} has a lock that this needs${facts.length === 0 ? '' : ` (${facts.join(', ')})`}.`;
    })
    .join(' ');
}

/** What ends them. */
export function howToUnblock(blockers: readonly Blocker[]): string {
  const [first] = blockers.filter(({ pid }) => pid !== 0);
  return first === undefined
    ? 'Have that transaction ended'
    : `Have that transaction ended, or end the session: SELECT pg_terminate_backend(${first.pid})`;
}

/** Details of an error that names blockers. */
export function blockedDetails(blockers: readonly Blocker[]) {
  return { sqlState: LOCK_NOT_AVAILABLE, blockers };
}

/** Source: the manual, appendix A, `lock_not_available`. */
export const LOCK_NOT_AVAILABLE = '55P03';

/**
 * Runs work in a session of a superuser. A lock that it does not get in time becomes an error that names who has it.
 *
 * @throws FluxError `not_ready` for that; whatever the work throws
 */
export async function withLockReport<T>(
  target: PostgresTarget,
  work: (session: PostgresSession) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  const applicationName = uniqueName();
  await using session = await connectPostgres({ ...target, applicationName }, { signal });
  await using watch = watchLocks(target, { of: { applicationName } });
  try {
    return await work(session);
  } catch (cause) {
    if (sqlStateOf(cause) !== LOCK_NOT_AVAILABLE) throw cause;
    const blockers = watch.lastBlockers();
    throw new FluxError('not_ready', `A lock was not given in time. ${blockersInWords(blockers)}`, {
      hint: `${howToUnblock(blockers)}; then run the command again.`,
      details: blockedDetails(blockers),
      cause,
    });
  }
}

/** A name for sessions that are observed, unlike that of any other piece of work. */
export function uniqueName(): string {
  return `flux ${crypto.randomUUID().slice(0, 18)}`;
}
