import { PgBoss } from 'pg-boss';
import type { Catalog } from '../catalog/open.ts';
import { notify } from '../catalog/operations.ts';
import type { OperationQueue } from '../operations/request.ts';
import type { Log } from '../system/log.ts';

const TICK = 'tick';

/**
 * Tells workers that there is something to do. What waits is in the table of operations and nowhere else, so a notification that is lost
 * costs a little time and no operation.
 */
export interface JobQueue extends OperationQueue {
  /** Calls back whenever an operation was queued, on any of the servers that share the catalog. */
  work(onQueued: () => void): void;
  /** Does some work once a minute, on one of the servers that share the catalog. */
  everyMinute(work: () => Promise<void>): Promise<void>;
  /** Takes no more, and waits for what runs once a minute. */
  close(): Promise<void>;
}

/** Opens the queue, creating the tables of its schedule when they are missing; safe when several servers do so at once. */
export async function openQueue(catalog: Catalog, log: Log): Promise<JobQueue> {
  const boss = new PgBoss({ db: { executeSql: catalog.executeSql }, schema: 'pgboss' });
  boss.on('error', (error) => log.error({ err: error }, 'the queue reports an error'));
  await boss.start();
  await boss.createQueue(TICK, { policy: 'stately', retryLimit: 0, expireInSeconds: 900, deleteAfterSeconds: 3600 });
  const stopListening: (() => void)[] = [];
  return {
    enqueue: (db, id) => notify(db, 'flux_enqueued', id),
    work: (onQueued) => void stopListening.push(catalog.listener.on('flux_enqueued', onQueued)),
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
