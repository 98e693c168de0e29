import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { OperationId } from '@flux/contract/ids';
import { sql } from 'kysely';
import { endClient, isAnswerOfServer } from './client.ts';
import type { Catalog, OpenedCatalog } from './open.ts';

/** First key of the advisory locks that say "this worker lives"; the second is the worker's own. */
export const WORKER_LOCK_CLASS = 0x466c7578;

/**
 * A worker's claim to be alive: a session lock in the catalog. It is gone the moment the process or its connection is, so a
 * crashed worker blocks nobody, and no clock has to run out first.
 */
export interface WorkerLease {
  readonly workerId: string;
  /**
   * The operations that were queued or running when it was taken. Nobody has asked this worker for them, and the catalog may be a copy from a
   * time when they had not ended yet.
   */
  readonly inherited: ReadonlySet<OperationId>;
  /** Aborted when the connection is lost: from then on others may take our operations for dead, so work must stop. */
  readonly lost: AbortSignal;
  /**
   * Calls back with each running operation of this worker that somebody asks to cancel: again with every heartbeat until it has
   * ended, so that no cancel can be lost. Returns a function that ends it.
   */
  onCancelRequested(callback: (id: OperationId) => void): () => void;
  close(): Promise<void>;
}

/** How often the server is asked over the connection of the lease, and after how many questions without an answer it is given up. */
const HEARTBEAT = { everyMs: 2000, maxUnanswered: 15 };

/** Registers this process as a worker. @param home the id of its data folder */
export async function takeWorkerLease(catalog: Catalog, home: string | null): Promise<WorkerLease> {
  const client = await catalog.connect();
  const lost = new AbortController();
  client.on('end', () => lost.abort(new Error('the connection that proves this worker alive is gone')));
  const workerId = randomUUID();
  let inherited: ReadonlySet<OperationId>;
  try {
    const { rows } = await client.query('insert into workers (id, host, pid, home) values ($1, $2, $3, $4) returning lock_key', [
      workerId,
      hostname(),
      process.pid,
      home,
    ]);
    await client.query('select pg_advisory_lock($1, $2)', [WORKER_LOCK_CLASS, rows[0].lock_key]);
    const unfinished = await client.query<{ id: OperationId }>(`select id from operations where state in ('queued', 'running')`);
    inherited = new Set(unfinished.rows.map(({ id }) => id));
    // A table that somebody has locked delays cancelling, but is no reason to take the catalog for gone.
    await client.query(`set lock_timeout = ${HEARTBEAT.everyMs}`);
  } catch (error) {
    await endClient(client);
    throw error;
  }
  const callbacks = new Set<(id: OperationId) => void>();
  // A host that vanishes says nothing. Heartbeats are counted and not the time, so that a stall of ours is no loss.
  let unanswered = 0;
  let timer: NodeJS.Timeout;
  const beat = () => {
    if (unanswered >= HEARTBEAT.maxUnanswered) return void endClient(client);
    unanswered += 1;
    client.query<{ id: OperationId }>(CANCEL_REQUESTS, [workerId]).then(
      ({ rows: requests }) => {
        unanswered = 0;
        for (const { id } of requests) for (const callback of callbacks) callback(id);
      },
      (error) => {
        // Otherwise `end` follows, and tells of it.
        if (isAnswerOfServer(error)) unanswered = 0;
      },
    );
    timer = setTimeout(beat, HEARTBEAT.everyMs).unref();
  };
  timer = setTimeout(beat, HEARTBEAT.everyMs).unref();
  lost.signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
  return {
    workerId,
    inherited,
    lost: lost.signal,
    onCancelRequested: (callback) => {
      callbacks.add(callback);
      return () => void callbacks.delete(callback);
    },
    close: () => endClient(client),
  };
}

const CANCEL_REQUESTS = `select id from operations where worker_id = $1 and state = 'running' and cancel_requested_at is not null`;

/** Tells whether the worker with this id lives; one that the catalog does not know does not. */
export async function isWorkerIdAlive(catalog: Catalog, workerId: string): Promise<boolean> {
  const worker = await catalog.db.selectFrom('workers').select('lock_key').where('id', '=', workerId).executeTakeFirst();
  return worker !== undefined && (await isWorkerAlive(catalog, worker.lock_key));
}

/** Tells whether a worker lives that has been working before this one: two that start together know nothing of each other. */
export async function hasEarlierWorker(catalog: OpenedCatalog, ownId: string): Promise<boolean> {
  // Source: the manual, "pg_locks": of a lock of two keys, objsubid is 2.
  const { rows } = await sql<{ found: boolean }>`
    select exists (
      select from pg_locks l join workers w on l.objid = w.lock_key::oid
      where l.locktype = 'advisory' and l.objsubid = 2 and l.classid = ${WORKER_LOCK_CLASS}::oid and l.granted and w.id <> ${ownId}
        and w.started_at < now() - interval '5 minutes'
        and l.database = (select oid from pg_database where datname = current_database())
    ) as found`.execute(catalog.db);
  return rows[0]?.found === true;
}

/** Tells whether the worker with this lock key lives. */
export async function isWorkerAlive(catalog: OpenedCatalog, lockKey: number): Promise<boolean> {
  // As a statement of its own, the transaction lock is released at once.
  const { rows } = await catalog.executeSql('select pg_try_advisory_xact_lock($1, $2) as free', [WORKER_LOCK_CLASS, lockKey]);
  return (rows[0] as { free: boolean }).free === false;
}
