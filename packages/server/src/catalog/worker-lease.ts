import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { endClient } from './client.ts';
import type { Catalog } from './open.ts';

/** First key of the advisory locks that say "this worker lives"; the second is the worker's own. */
const WORKER_LOCK_CLASS = 0x466c7578;

/**
 * A worker's claim to be alive: a session lock in the catalog. It is gone the moment the process or its connection is, so a
 * crashed worker blocks nobody, and no clock has to run out first.
 */
export interface WorkerLease {
  readonly workerId: string;
  /** Aborted when the connection is lost: from then on others may take our operations for dead, so work must stop. */
  readonly lost: AbortSignal;
  close(): Promise<void>;
}

/** How often the server is asked over the connection of the lease, and after how many questions without an answer it is given up. */
const BEAT = { everyMs: 10_000, mostUnanswered: 3 };

/** Registers this process as a worker. */
export async function takeWorkerLease(catalog: Catalog): Promise<WorkerLease> {
  const client = await catalog.connect();
  const lost = new AbortController();
  client.on('end', () => lost.abort(new Error('the connection that proves this worker alive is gone')));
  const workerId = randomUUID();
  try {
    const { rows } = await client.query('insert into workers (id, host, pid) values ($1, $2, $3) returning lock_key', [
      workerId,
      hostname(),
      process.pid,
    ]);
    await client.query('select pg_advisory_lock($1, $2)', [WORKER_LOCK_CLASS, rows[0].lock_key]);
  } catch (error) {
    await endClient(client);
    throw error;
  }
  // A host that vanishes says nothing. Beats are counted and not the time, so that a stall of ours is no loss.
  let unanswered = 0;
  const beat = setInterval(() => {
    if (unanswered >= BEAT.mostUnanswered) return void endClient(client);
    unanswered += 1;
    client.query('select 1').then(
      () => {
        unanswered = 0;
      },
      // `end` follows, and tells of it.
      () => undefined,
    );
  }, BEAT.everyMs);
  beat.unref();
  lost.signal.addEventListener('abort', () => clearInterval(beat), { once: true });
  return { workerId, lost: lost.signal, close: () => endClient(client) };
}

/** Tells whether the worker with this lock key lives. */
export async function isWorkerAlive(catalog: Catalog, lockKey: number): Promise<boolean> {
  // As a statement of its own, the transaction lock is let go at once.
  const { rows } = await catalog.executeSql('select pg_try_advisory_xact_lock($1, $2) as free', [WORKER_LOCK_CLASS, lockKey]);
  return (rows[0] as { free: boolean }).free === false;
}

/** How many workers hold a lease on this catalog at this moment, ours among them. */
export async function countLivingWorkers(catalog: Catalog): Promise<number> {
  const { rows } = await catalog.executeSql(
    `select count(*)::int as living from pg_locks
     where locktype = 'advisory' and classid = $1 and objsubid = 2 and granted
       and database = (select oid from pg_database where datname = current_database())`,
    [WORKER_LOCK_CLASS],
  );
  return (rows[0] as { living: number }).living;
}
