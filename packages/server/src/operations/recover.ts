import { FluxError, toProblem } from '@flux/contract/errors';
import type { ProjectId } from '@flux/contract/ids';
import type { ArtifactStore } from '../artifacts/store.ts';
import { findBackupById, findUnfinishedBackup, updateBackup } from '../catalog/backups.ts';
import type { Catalog } from '../catalog/open.ts';
import { finishOperation, listUnfinishedOperations, type OperationRow } from '../catalog/operations.ts';
import { countLivingWorkers, isWorkerAlive } from '../catalog/worker-lease.ts';
import type { Clock } from '../system/clock.ts';
import type { Log } from '../system/log.ts';

export interface Recovery {
  readonly catalog: Catalog;
  readonly store: ArtifactStore;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * What `recoverOperations` does, and at a start also the end of what still waits in the queue when nobody else lives who could
 * have taken it: its asker went with the process that took the request, and a job that was handed out just before is never
 * handed out again. Call with our own lease taken and before anything new can be asked for.
 */
export async function recoverAtStart(recovery: Recovery): Promise<number> {
  const ended = await recoverOperations(recovery);
  if ((await countLivingWorkers(recovery.catalog)) > 1) return ended;
  const waiting = (await listUnfinishedOperations(recovery.catalog.db)).filter(({ state }) => state === 'queued');
  const ends = await Promise.all(waiting.map((operation) => endInterrupted(recovery, operation)));
  return ended + ends.filter((hasEnded) => hasEnded).length;
}

/**
 * Ends operations whose worker is dead, so that a crash never blocks a project. Runs at start and now and then; safe on
 * several servers at once, since only the first end of an operation counts. Tells how many it ended.
 */
export async function recoverOperations(recovery: Recovery): Promise<number> {
  let ended = 0;
  for (const operation of await listUnfinishedOperations(recovery.catalog.db)) {
    if (operation.state !== 'running' || operation.lockKey === null) continue;
    if (await isWorkerAlive(recovery.catalog, operation.lockKey)) continue;
    if (await endInterrupted(recovery, operation)) ended += 1;
  }
  return ended;
}

async function endInterrupted({ catalog, store, clock, log }: Recovery, operation: OperationRow): Promise<boolean> {
  const error = new FluxError('interrupted', 'The control plane was stopped or killed while this was running.', {
    hint: 'Run the command again.',
  });
  const now = clock.now();
  const left = await catalog.db.transaction().execute(async (db) => {
    if (!(await finishOperation(db, operation.id, { state: 'failed', error: toProblem(error) }, now))) return undefined;
    // Restores in place and migrations back up what is there first; no other operation of the project can have been making one.
    const unfinished = await findUnfinishedBackup(db, operation.project_id);
    const backup = unfinished ?? (operation.backup_id === null ? undefined : await findBackupById(db, operation.backup_id));
    if (backup === undefined) return 'none' as const;
    if (backup.status === 'queued' || backup.status === 'running') {
      await updateBackup(db, backup.id, { status: 'failed', failure: error.message });
      return backup;
    }
    if (operation.kind === 'backup_verify') await updateBackup(db, backup.id, { last_problem: error.message, last_problem_at: now });
    return 'none' as const;
  });
  if (left === undefined) return false;
  log.warn({ operation: operation.id, kind: operation.kind }, 'ended an operation whose worker is dead');
  // The file may have got its final name just before the crash; no row says complete, so nobody can rely on it.
  if (left !== 'none') {
    // One file that cannot be removed must not keep everything else from being recovered.
    await store
      .remove({ projectId: operation.project_id as ProjectId, backupId: left.id })
      .catch((problem) => log.error({ err: problem, backup: left.id }, 'what a dead worker has written could not be removed'));
  }
  return true;
}
