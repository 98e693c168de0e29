import { FluxError, isFluxError } from '@flux/contract/errors';
import { type KeptSession, keepSession } from '../../postgres/kept-session.ts';
import { isDoneWithin } from '../../system/done-within.ts';
import type { Log } from '../../system/log.ts';
import type { SharedCluster } from './cluster.ts';

/**
 * For how long a session of a tenant may do what keeps others from theirs. The settings of Postgres of these names are no bounds: every role
 * may set them for itself, so whoever is over them is disconnected instead.
 */
export interface TenantBounds {
  /** For one statement. */
  readonly statementMs: number;
  /** For a transaction in which nothing runs. */
  readonly idleTransactionMs: number;
  /** For any transaction: it keeps its locks, and dead rows of the whole cluster. */
  readonly transactionMs: number;
  /** For a transaction of the owner, which is a push or a restore. */
  readonly ownerMs: number;
}

/** Watches over the sessions of tenants. */
export interface PoolGuard {
  stop(): Promise<void>;
}

export interface GuardParts {
  /** Without `prepare` nothing is brought up to date: a server that only reads leaves the pool to another one. */
  readonly cluster: Pick<SharedCluster, 'admin'> & Partial<Pick<SharedCluster, 'prepare'>>;
  readonly bounds: TenantBounds;
  readonly log: Log;
  readonly everyMs?: number;
}

const EVERY_MS = 1000;
const ANSWER_MS = 5000;
/** The first time, what an earlier release has created is brought up to date. */
const PREPARE_MS = 15_000;
/** How long a start waits for the first look. */
const FIRST_MS = 3000;
/** So many connections stay free for whoever comes next: another tenant, or a dump or push of Flux, which are not superusers. */
const FREE = 10;
/** A failure that lasts is logged once in this time. */
const LOG_EVERY_MS = 60_000;

/** Ends the sessions that are over a bound. The time of a statement is that of the last one in `state = 'active'`. */
const OVER_BOUNDS = `
  WITH seen AS (
    SELECT pid, usename::text AS role, CASE
      WHEN usename ~ '_ddl$' THEN CASE WHEN clock_timestamp() - xact_start > $4 THEN 'transaction' END
      WHEN state IN ('active', 'fastpath function call') AND clock_timestamp() - query_start > $1 THEN 'statement'
      WHEN state ~ '^idle in transaction' AND clock_timestamp() - state_change > $2 THEN 'idle transaction'
      WHEN clock_timestamp() - xact_start > $3 THEN 'transaction' END AS bound
    FROM pg_stat_activity WHERE usename ~ '^t_[0-9a-f]{12}_(login|ddl)$' AND backend_type = 'client backend')
  SELECT pid, role, bound, pg_terminate_backend(pid) FROM seen WHERE bound IS NOT NULL`;

/**
 * Makes room when the server is almost full: of the tenant with the most sessions the one that has been idle for longest goes, and so on. Only
 * when nobody is idle, those go that do something.
 */
const MAKE_ROOM = `
  WITH room AS (
    SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
      - coalesce(current_setting('reserved_connections', true), '0')::int
      - (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')::int AS free),
  ranked AS (
    SELECT pid, usename::text AS role, row_number() OVER (PARTITION BY usename ORDER BY state <> 'idle', state = 'active', state_change) AS place,
      count(*) OVER (PARTITION BY usename) AS sessions, state <> 'idle' AS busy
    FROM pg_stat_activity WHERE usename ~ '^t_[0-9a-f]{12}_login$' AND backend_type = 'client backend'),
  chosen AS (
    SELECT pid, role FROM ranked ORDER BY busy, sessions - place DESC, pid LIMIT (SELECT greatest(0, $1::int - free) FROM room))
  SELECT pid, role, 'room' AS bound, pg_terminate_backend(pid) FROM chosen`;

/**
 * Begins to watch, and returns after the first look, or soon when the pool does not answer. Nothing happens while there is no pool; a pool that does not answer is tried again.
 */
export async function watchPool({ cluster, bounds, log, everyMs = EVERY_MS }: GuardParts): Promise<PoolGuard> {
  const ended = new AbortController();
  const session = keepSession(() => cluster.admin());
  let isPrepared = cluster.prepare === undefined;
  let loggedAt = Number.NEGATIVE_INFINITY;
  const report = (error: unknown) => {
    if (ended.signal.aborted || isFluxError(error, 'not_found') || performance.now() - loggedAt < LOG_EVERY_MS) return;
    loggedAt = performance.now();
    log.warn({ err: error }, 'the pool cannot be watched');
  };
  const within = (ms: number) => AbortSignal.any([ended.signal, AbortSignal.timeout(ms)]);
  const pass = async () => {
    // The bounds are kept even while this fails.
    if (!isPrepared)
      await cluster.prepare?.(within(PREPARE_MS)).then(() => {
        isPrepared = true;
      }, report);
    await endSessionsOver(session, bounds, log, within(ANSWER_MS)).catch(report);
  };
  const first = pass();
  await isDoneWithin(first, FIRST_MS);
  const loop = (async () => {
    await first;
    while (!ended.signal.aborted) {
      await pause(everyMs, ended.signal);
      if (!ended.signal.aborted) await pass();
    }
  })();
  return {
    async stop() {
      ended.abort(new FluxError('interrupted', 'The control plane stops.'));
      await loop;
      await session.close();
    },
  };
}

async function endSessionsOver(session: KeptSession, bounds: TenantBounds, log: Log, signal: AbortSignal): Promise<void> {
  const intervals = [bounds.statementMs, bounds.idleTransactionMs, bounds.transactionMs, bounds.ownerMs].map((ms) => `${ms} ms`);
  const over = await session.query<{ pid: number; role: string; bound: string }>(OVER_BOUNDS, intervals, signal);
  const crowded = await session.query<{ pid: number; role: string; bound: string }>(MAKE_ROOM, [FREE], signal);
  for (const { pid, role, bound } of [...over, ...crowded])
    log.warn({ pid, role, bound }, 'ended a session of a tenant that was over its bound');
}

/** A pause that an abort ends. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done, { once: true });
    if (signal.aborted) done();
  });
}
