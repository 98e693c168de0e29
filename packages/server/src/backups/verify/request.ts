import { FluxError } from '@flux/contract/errors';
import type { OperationId } from '@flux/contract/ids';
import { type Actor, recordAudit } from '../../catalog/audit.ts';
import type { BackupRow } from '../../catalog/backups.ts';
import type { ProjectRow } from '../../catalog/projects.ts';
import { beginOperation } from '../../operations/begin.ts';
import type { BackupDoors } from '../doors.ts';
import { type BackupSelector, selectBackup } from '../select.ts';

/**
 * Resolves which backup is meant, records the verification and puts it before the workers, all in one transaction: what
 * *latest* means cannot change in between.
 *
 * @throws FluxError `backup_not_found`, `not_ready`, `artifact_gone`, `busy`
 */
export async function requestVerification(
  doors: BackupDoors,
  project: ProjectRow,
  actor: Actor,
  selector: BackupSelector,
): Promise<OperationId> {
  return doors.catalog.db.transaction().execute(async (db) => {
    const backup = await selectBackup(db, project, selector);
    // Busy is told before not-ready: while its backup is being made, the newest row is neither.
    const operationId = await beginOperation(db, doors.clock, {
      projectId: project.id,
      kind: 'backup_verify',
      backupId: backup.id,
      actor,
      request: { selector },
    });
    refuseUnverifiable(backup);
    await recordAudit(db, actor, { action: 'backup.verify', projectId: project.id, subject: backup.id });
    await doors.queue.enqueue(db, operationId);
    return operationId;
  });
}

function refuseUnverifiable(backup: BackupRow): void {
  if (backup.status !== 'complete') {
    throw new FluxError(
      'not_ready',
      `Backup ${backup.id} is ${backup.status}, so there is nothing to restore.${backup.failure === null ? '' : ` It failed: ${backup.failure}`}`,
      {
        hint: 'Make a new one with `flux backup create`, then verify it.',
      },
    );
  }
  if (backup.removed_at !== null) {
    throw new FluxError(
      'artifact_gone',
      `The file of backup ${backup.id} was removed by ${backup.removed_by} at ${backup.removed_at.toISOString()}.`,
      {
        hint: 'Verify a newer one: `flux backup list`.',
      },
    );
  }
}
