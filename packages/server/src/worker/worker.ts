import { validateLeftovers } from '../backups/validate.ts';
import { forgetIdempotencyKeys } from '../catalog/idempotency.ts';
import { findOperation } from '../catalog/operations.ts';
import type { BoundOperation } from '../operations/define.ts';
import { recoverOperations } from '../operations/recover.ts';
import { runQueued } from '../operations/run.ts';
import { removeUnbornProjects } from '../projects/create.ts';
import { endInterruptedMigrations } from '../projects/migrate/take-back.ts';
import { finishRemovals } from '../projects/nuke.ts';
import { expireUndoData } from '../projects/restore/expire.ts';
import type { RestoreDoors } from '../projects/restore/into-staging.ts';
import type { Metrics } from '../system/metrics.ts';
import type { JobQueue } from './queue.ts';
import { repeat } from './repeat.ts';

/** What the workers reach, handed in by `compose.ts`. */
export interface WorkerDeps {
  readonly queue: JobQueue;
  readonly kinds: ReadonlyMap<string, BoundOperation>;
  readonly doors: RestoreDoors;
  readonly metrics: Metrics;
  readonly concurrency: number;
}

const RECOVER_EVERY_MS = 10_000;

/** Starts to take operations. Returns what stops it: no new ones, and those that run are aborted and waited for. */
export async function startWorker({ queue, kinds, doors, metrics, concurrency }: WorkerDeps): Promise<() => Promise<void>> {
  const { backups, projects } = doors;
  const runner = projects.operations;
  const { catalog, lease, log, stopping } = runner;
  await queue.work(concurrency, async (id) => {
    // Thrown, so that the job is delivered again: to another server, or to the next start of this one.
    stopping.throwIfAborted();
    const operation = await findOperation(catalog.db, id);
    if (operation === undefined) return;
    const bound = kinds.get(operation.kind);
    if (bound === undefined) throw new Error(`no work for operations of kind ${operation.kind}`);
    await runQueued(runner, id, bound);
    const ended = await findOperation(catalog.db, id);
    metrics.operations.inc({ kind: operation.kind, state: ended?.state ?? 'unknown' });
  });
  const validating = validateLeftovers(backups, stopping).catch((error) =>
    log.warn({ err: error }, 'looking for backups that nobody validated failed'),
  );
  let hasNewLease = false;
  const recovering = repeat(RECOVER_EVERY_MS, async () => {
    // Without a lease everything of ours looks dead, and what is still letting go of its work must be let.
    if (!lease.isHeld() || stopping.aborted) return;
    try {
      const found = await recoverOperations(runner, kinds);
      if (hasNewLease || found > 0) {
        await removeUnbornProjects(projects);
        await finishRemovals(doors, stopping);
      }
      hasNewLease = false;
      await endInterruptedMigrations(projects, stopping);
    } catch (error) {
      log.warn({ err: error }, 'looking for dead workers failed');
    }
  });
  lease.onRegained(() => {
    hasNewLease = true;
    recovering.soon();
  });
  const expire = () => expireUndoData(projects, stopping).catch((error) => log.warn({ err: error }, 'expiring undo data failed'));
  const expiring = repeat(expireEveryMs(projects.undoKeepMs), expire);
  await queue.everyMinute(async () => {
    await forgetIdempotencyKeys(catalog.db);
  });
  return async () => {
    await recovering.stop();
    await validating;
    await expiring.stop();
    await queue.close();
  };
}

/** Often enough for nothing to stay much longer than it should, and seldom enough to cost nothing. */
function expireEveryMs(undoKeepMs: number): number {
  return Math.min(Math.max(undoKeepMs / 4, 1000), 600_000);
}
