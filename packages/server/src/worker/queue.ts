import type { OperationId } from '@flux/contract/ids';
import { PgBoss } from 'pg-boss';
import { type Catalog, executeSqlIn } from '../catalog/open.ts';
import { notify } from '../catalog/operations.ts';
import type { OperationQueue } from '../operations/request.ts';
import type { Log } from '../system/log.ts';

const OPERATIONS = 'operation-work';
const TICK = 'tick';
/** Longer than any operation may take. That a worker is dead is told by the heartbeat, long before. */
const EXPIRE_SECONDS = 23 * 3600;
/** What somebody waits for goes before what the control plane does by itself. */
const PRIORITY = { user: 10, system: 0 };

/** Delivery of operations, on the catalog. Operations are the truth about state; a job only brings one to a worker. */
export interface JobQueue extends OperationQueue {
  /** Begins to take operations, at most `concurrency` at once, and hands each to `run`. */
  work(concurrency: number, run: (id: OperationId) => Promise<void>): Promise<void>;
  /** Does some work once a minute, on one of the servers that share the catalog. */
  everyMinute(work: () => Promise<void>): Promise<void>;
  /** Takes no more, and waits for what runs. */
  close(): Promise<void>;
}

/** Opens the queue, creating its tables when they are missing; safe when several servers do so at once. */
export async function openQueue(catalog: Catalog, log: Log): Promise<JobQueue> {
  const boss = new PgBoss({ db: { executeSql: catalog.executeSql }, schema: 'pgboss' });
  boss.on('error', (error) => log.error({ err: error }, 'the queue reports an error'));
  await boss.start();
  // `short` keeps one waiting job for each operation, however often it is sent. A job whose worker is dead is delivered again.
  await boss.createQueue(OPERATIONS, {
    policy: 'short',
    retryLimit: 10,
    retryDelay: 1,
    heartbeatSeconds: 30,
    expireInSeconds: EXPIRE_SECONDS,
    deleteAfterSeconds: 3600,
  });
  await boss.createQueue(TICK, { policy: 'stately', retryLimit: 0, expireInSeconds: 900, deleteAfterSeconds: 3600 });
  const stopListening: (() => void)[] = [];
  return {
    enqueue: async (db, { id, requestedBy }) => {
      const executeSql = (text: string, values?: unknown[]) => executeSqlIn(db, text, values);
      await boss.send(OPERATIONS, { operationId: id }, { singletonKey: id, priority: PRIORITY[requestedBy], db: { executeSql } });
      await notify(db, 'flux_enqueued', OPERATIONS);
    },
    work: async (concurrency, run) => {
      const options = { batchSize: 1, pollingIntervalSeconds: 2, heartbeatRefreshSeconds: 10 };
      const workers: string[] = [];
      for (let i = 0; i < concurrency; i++) {
        workers.push(
          await boss.work<{ operationId: OperationId }>(OPERATIONS, options, async ([job]) => {
            if (job !== undefined) await run(job.data.operationId);
          }),
        );
      }
      // Polling alone would let every operation wait for up to its interval.
      const wakeAll = () => {
        for (const worker of workers) boss.notifyWorker(worker);
      };
      stopListening.push(catalog.listener.on('flux_enqueued', wakeAll));
    },
    everyMinute: async (work) => {
      await boss.work(TICK, { batchSize: 1, pollingIntervalSeconds: 5 }, work);
      await boss.schedule(TICK, '* * * * *');
    },
    close: async () => {
      for (const stop of stopListening) stop();
      await boss.stop({ graceful: true, close: false, timeout: 30_000 });
    },
  };
}
