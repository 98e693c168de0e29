import { FluxError } from '@flux/contract/errors';
import type { OperationId } from '@flux/contract/ids';
import type { OperationKind } from '@flux/contract/operation';
import { createBackup } from '../backups/create.ts';
import type { BackupDoors } from '../backups/doors.ts';
import { validateLeftovers } from '../backups/validate.ts';
import { verifyBackup } from '../backups/verify/run.ts';
import { forgetIdempotencyKeys } from '../catalog/idempotency.ts';
import { findOperation, listUnfinishedOperations } from '../catalog/operations.ts';
import { findProjectById, type ProjectRow } from '../catalog/projects.ts';
import { recoverOperations } from '../operations/recover.ts';
import { type OperationContext, type OperationRunner, type OperationWork, runOperation } from '../operations/run.ts';
import { removeUnbornProjects } from '../projects/create.ts';
import type { ProjectDoors } from '../projects/doors.ts';
import { runMigration } from '../projects/migrate/run.ts';
import { endInterruptedMigrations } from '../projects/migrate/take-back.ts';
import { finishRemovals } from '../projects/nuke.ts';
import { resetProject } from '../projects/reset.ts';
import { expireKept } from '../projects/restore/expire.ts';
import { runRestore } from '../projects/restore/run.ts';
import type { Metrics } from '../system/metrics.ts';
import type { JobQueue } from './queue.ts';
import { repeat } from './repeat.ts';

/** Everything that the job floor reaches, handed in by `compose.ts`. */
export interface WorkerDoors {
  readonly queue: JobQueue;
  readonly backups: BackupDoors;
  readonly projects: ProjectDoors;
  readonly runner: OperationRunner;
  readonly metrics: Metrics;
  readonly concurrency: number;
}

const RECOVER_EVERY_MS = 10_000;

/** Starts to take operations. Returns what stops it: no new ones, and those that run are aborted and waited for. */
export async function startWorker(doors: WorkerDoors): Promise<() => Promise<void>> {
  const { queue, runner, backups, projects, metrics } = doors;
  const works = workTable(doors);
  await queue.work(doors.concurrency, async (id) => {
    const operation = await findOperation(runner.catalog.db, id);
    if (operation === undefined) return;
    const work = works[operation.kind];
    if (work === undefined) throw new Error(`no work for operations of kind ${operation.kind}`);
    await runOperation(runner, id, work);
    const ended = await findOperation(runner.catalog.db, id);
    metrics.operations.inc({ kind: operation.kind, state: ended?.state ?? 'unknown' });
  });
  const validating = validateLeftovers(backups, runner.stopping).catch((error) =>
    runner.log.warn({ err: error }, 'looking for backups that nobody validated failed'),
  );
  let hasNewLease = false;
  const recovering = repeat(RECOVER_EVERY_MS, async () => {
    // Without a lease everything of ours looks dead, and what is still letting go of its work must be let.
    if (!runner.lease.isHeld()) return;
    try {
      await recoverOperations(backups);
      if (hasNewLease) await takeUpAgain(doors);
      hasNewLease = false;
      await endInterruptedMigrations(projects);
      await forgetIdempotencyKeys(runner.catalog.db);
    } catch (error) {
      runner.log.warn({ err: error }, 'looking for dead workers failed');
    }
  });
  runner.lease.onRegained(() => {
    hasNewLease = true;
    recovering.soon();
  });
  const expiring = repeat(expireEveryMs(projects.undoKeepMs), () =>
    expireKept(projects, runner.stopping).catch((error) => runner.log.warn({ err: error }, 'looking for what is kept too long failed')),
  );
  return async () => {
    await recovering.stop();
    await validating;
    await expiring.stop();
    await queue.close();
  };
}

/**
 * What else a loss of the lease leaves behind: jobs that were handed out and could not be begun are handed out again, since the
 * queue takes them for done; what was being made or removed is taken to its end, as at a start.
 */
async function takeUpAgain({ queue, runner, projects }: WorkerDoors): Promise<void> {
  const waiting = (await listUnfinishedOperations(runner.catalog.db)).filter(({ state }) => state === 'queued');
  for (const { id } of waiting) await runner.catalog.db.transaction().execute((db) => queue.enqueue(db, id as OperationId));
  await removeUnbornProjects(projects);
  await finishRemovals(projects);
}

/** Often enough for nothing to stay much longer than it should, and seldom enough to cost nothing. */
function expireEveryMs(undoKeepMs: number): number {
  return Math.min(Math.max(undoKeepMs / 4, 1000), 600_000);
}

/** Which function does which kind of operation. Pushes are not here: they run where they are asked for. */
function workTable({ backups, projects }: Pick<WorkerDoors, 'backups' | 'projects'>): Partial<Record<OperationKind, OperationWork>> {
  const ofProject = (work: (project: ProjectRow, context: OperationContext) => Promise<object>): OperationWork => {
    return async (context) => {
      const project = await findProjectById(backups.catalog.db, context.operation.project_id);
      if (project === undefined) throw new FluxError('project_not_found', 'The project of this operation has vanished from the catalog.');
      return work(project, context);
    };
  };
  return {
    backup_create: ofProject((project, context) => createBackup(backups, project, context)),
    backup_verify: (context) => verifyBackup(backups, context),
    backup_restore: ofProject((project, context) => runRestore({ backups, projects }, project, context)),
    reset: ofProject((project, context) => resetProject({ backups, projects }, project, context)),
    migrate: ofProject((project, context) => runMigration({ backups, projects }, project, context)),
  };
}
