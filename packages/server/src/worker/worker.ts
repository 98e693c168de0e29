import { measureSome, type QuotaDeps } from '../backups/quota.ts';
import { validateLeftovers } from '../backups/validate.ts';
import { forgetIdempotencyKeys } from '../catalog/idempotency.ts';
import type { InstanceRuntime } from '../instances/instance.ts';
import { recoverOperations } from '../operations/recover.ts';
import type { RunDeps } from '../operations/run.ts';
import { type RemoveIncompleteDeps, removeIncompleteProjects } from '../projects/incomplete.ts';
import { endInterruptedMigrations } from '../projects/migrate/clean-up.ts';
import { finishRemovals, type NukeDeps } from '../projects/nuke.ts';
import { type ExpireUndoDeps, expireUndoData } from '../projects/undo/expire.ts';
import type { ExpiryClock } from '../system/expiry-clock.ts';
import { repeat } from './repeat.ts';
import { type TakeDeps, takeOperations } from './take.ts';

/** What the workers use. */
export interface WorkerDeps extends TakeDeps {
  readonly upkeep: UpkeepDeps;
}

/** What the work uses that nobody asks for: each part of it takes its own. */
type UpkeepDeps = QuotaDeps &
  RemoveIncompleteDeps &
  NukeDeps &
  ExpireUndoDeps & {
    readonly operations: RunDeps;
    readonly runtime: InstanceRuntime;
    readonly expiryClock: ExpiryClock;
    /** For how long what was removed by the catalog's word alone is kept. */
    readonly trashKeepMs: number;
  };

const RECOVER_EVERY_MS = 10_000;
const TIDY_EVERY_MS = 60_000;

/** Starts to take operations. Returns what stops it: no new ones, and those that run are aborted and waited for. */
export async function startWorker({ upkeep, ...work }: WorkerDeps): Promise<() => Promise<void>> {
  const { queue, kinds, operations } = work;
  const { catalog, lease, log, stopping } = operations;
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
        await removeIncompleteProjects(upkeep);
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
  const tidying = repeat(Math.min(TIDY_EVERY_MS, expireEveryMs(upkeep.trashKeepMs)), () =>
    tidy(upkeep).catch((error) => log.warn({ err: error }, 'emptying the trash or remembering the time failed')),
  );
  await queue.everyMinute(async () => {
    await forgetIdempotencyKeys(catalog.db, upkeep.expiryClock.now());
    await measureSome(upkeep, stopping);
  });
  return async () => {
    await recovering.stop();
    await stopTaking();
    await validating;
    await expiring.stop();
    await tidying.stop();
    await queue.close();
  };
}

async function tidy({ runtime, expiryClock, trashKeepMs, log }: UpkeepDeps): Promise<void> {
  await expiryClock.remember();
  for (const name of await runtime.emptyTrash(trashKeepMs, expiryClock.now())) log.info({ name }, 'deleted what had lain in the trash');
}

/** A quarter of the time that something is kept, between a second and ten minutes. */
function expireEveryMs(keepMs: number): number {
  return Math.min(Math.max(keepMs / 4, 1000), 600_000);
}
