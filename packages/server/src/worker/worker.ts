import type { MeasureAttempts, QuotaDeps } from '../backups/quota.ts';
import { validateLeftovers } from '../backups/validate.ts';
import { recoverOperations } from '../operations/recover.ts';
import type { RunDeps } from '../operations/run.ts';
import { type RemoveIncompleteDeps, removeIncompleteProjects } from '../projects/incomplete.ts';
import { endInterruptedMigrations } from '../projects/migrate/clean-up.ts';
import { finishRemovals, type NukeDeps } from '../projects/nuke.ts';
import { type ExpireUndoDeps, expireUndoData } from '../projects/undo/expire.ts';
import { repeat } from './repeat.ts';
import { type TakeDeps, takeOperations } from './take.ts';
import { doMinuteWork, type TidyDeps, tidy } from './tidy.ts';

/** What the workers use. */
export interface WorkerDeps extends TakeDeps {
  readonly upkeep: UpkeepDeps;
}

/** What the work uses that nobody asks for: each part of it takes its own. */
type UpkeepDeps = QuotaDeps & RemoveIncompleteDeps & NukeDeps & ExpireUndoDeps & TidyDeps & { readonly operations: RunDeps };

const RECOVER_EVERY_MS = 10_000;
const TIDY_EVERY_MS = 60_000;

/** Starts to take operations. Returns what stops it: no new ones, and those that run are aborted and waited for. */
export async function startWorker({ upkeep, ...work }: WorkerDeps): Promise<() => Promise<void>> {
  const { queue, kinds, operations } = work;
  const { lease, log, stopping } = operations;
  const stopTaking = takeOperations(work);
  const validating = validateLeftovers(upkeep, stopping).catch((error) =>
    log.warn({ err: error }, 'validating backups that were left unvalidated failed'),
  );
  let hasNewLease = false;
  const recovering = repeat(RECOVER_EVERY_MS, async () => {
    // Without a lease our own operations look like those of a dead worker, and they may not have ended yet.
    if (!lease.isHeld() || stopping.aborted) return;
    try {
      const found = await recoverOperations(operations, kinds);
      if (hasNewLease || found > 0) {
        await removeIncompleteProjects(upkeep, stopping);
        await finishRemovals(upkeep, stopping);
      }
      hasNewLease = false;
      await endInterruptedMigrations(upkeep, stopping);
    } catch (error) {
      log.warn({ err: error }, 'looking for dead workers failed');
    }
  });
  lease.onRegained(() => {
    hasNewLease = true;
    recovering.soon();
  });
  const expire = () => expireUndoData(upkeep, stopping).catch((error) => log.warn({ err: error }, 'expiring undo data failed'));
  const expiring = repeat(expireEveryMs(upkeep.undoKeepMs), expire);
  const tidying = repeat(Math.min(TIDY_EVERY_MS, expireEveryMs(upkeep.trashKeepMs)), () => tidy(upkeep));
  const attempts: MeasureAttempts = new Map();
  await queue.everyMinute(() => doMinuteWork(upkeep, attempts, stopping));
  return async () => {
    await recovering.stop();
    await stopTaking();
    await validating;
    await expiring.stop();
    await tidying.stop();
    await queue.close();
  };
}

/** A quarter of the time that something is kept, between a second and ten minutes. */
function expireEveryMs(keepMs: number): number {
  return Math.min(Math.max(keepMs / 4, 1000), 600_000);
}
