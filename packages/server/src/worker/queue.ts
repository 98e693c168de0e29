import type { OperationId } from '@flux/contract/ids';
import { CompiledQuery } from 'kysely';
import { PgBoss } from 'pg-boss';
import type { Catalog } from '../catalog/open.ts';
import { notify } from '../catalog/operations.ts';
import type { OperationQueue } from '../operations/begin.ts';
import type { Log } from '../system/log.ts';

const QUEUE = 'operations';
/** Longer than any operation may take; our own lease, not this, tells that a worker is dead. */
const EXPIRE_SECONDS = 23 * 3600;

/** The queue of operations, on the catalog. */
export interface JobQueue extends OperationQueue {
  /** Begins to take operations, at most `concurrency` at once, and hands each to `run`. */
  work(concurrency: number, run: (id: OperationId) => Promise<void>): Promise<void>;
  /** Takes no more, and waits for what runs. */
  close(): Promise<void>;
}

/** Opens the queue, making its tables when they are missing; safe when several servers do so at once. */
export async function openQueue(catalog: Catalog, log: Log): Promise<JobQueue> {
  const boss = new PgBoss({ db: { executeSql: catalog.executeSql }, schema: 'pgboss', schedule: false });
  boss.on('error', (error) => log.error({ err: error }, 'the queue reports an error'));
  await boss.start();
  await boss.createQueue(QUEUE, { retryLimit: 0, expireInSeconds: EXPIRE_SECONDS, deleteAfterSeconds: 3600 });
  let stopListening = () => {};
  return {
    enqueue: async (db, operationId) => {
      const executeSql = async (text: string, values: unknown[] = []) => ({
        rows: (await db.executeQuery(CompiledQuery.raw(text, values))).rows,
      });
      await boss.send(QUEUE, { operationId }, { db: { executeSql } });
      await notify(db, 'flux_enqueued', QUEUE);
    },
    work: async (concurrency, run) => {
      const workers: string[] = [];
      for (let i = 0; i < concurrency; i++) {
        workers.push(
          await boss.work<{ operationId: OperationId }>(QUEUE, { batchSize: 1, pollingIntervalSeconds: 2 }, async ([job]) => {
            if (job !== undefined) await run(job.data.operationId);
          }),
        );
      }
      // Polling alone would let every operation wait for up to its interval.
      stopListening = catalog.listener.on('flux_enqueued', () => {
        for (const worker of workers) boss.notifyWorker(worker);
      });
    },
    close: async () => {
      stopListening();
      await boss.stop({ graceful: true, close: false, timeout: 30_000 });
    },
  };
}
