import { FluxError } from '@flux/contract/errors';
import type { OperationId } from '@flux/contract/ids';
import type { OperationResult } from '@flux/contract/operation-results';
import * as z from 'zod';
import { deleteArtifact } from '../blobs/artifact-keys.ts';
import { type Actor, recordAudit } from '../catalog/audit.ts';
import { type BackupRow, lockBackup, updateBackup } from '../catalog/backups.ts';
import { markCopiesRemoved } from '../catalog/copies.ts';
import type { ProjectRow } from '../catalog/projects.ts';
import { defineOperation, type Order, type Task } from '../operations/define.ts';
import { type RequestDeps, requestOperation } from '../operations/request.ts';
import { requireBackupId } from './create.ts';
import { type Clearance, redeemDeletion, requireDeletion } from './gate.ts';
import { readBackupItem } from './item.ts';
import { type Override, OverrideSchema } from './override.ts';
import { requirePresent } from './present.ts';
import type { ReadingDeps } from './reading.ts';
import { selectBackup } from './select.ts';

/** Pins a backup, so that the retention policy never expires it, or unpins it. */
export async function setPinned(
  { catalog }: ReadingDeps,
  project: ProjectRow,
  row: BackupRow,
  pinned: 'pinned' | 'unpinned',
  actor: Actor,
): Promise<BackupRow> {
  return catalog.db.transaction().execute(async (db) => {
    await recordAudit(db, actor, { action: pinned === 'pinned' ? 'backup.pin' : 'backup.unpin', projectId: project.id, subject: row.id });
    return updateBackup(db, row.id, { pinned: pinned === 'pinned' });
  });
}

/** Deletes the file of a backup. */
export const backupDelete = defineOperation({
  kind: 'backup_delete',
  lane: 'short',
  request: z.object({ override: OverrideSchema, by: z.string() }),
  touches: 'backup',
  runsOn: 'any',
  audit: ({ backupId }) => ({ action: 'backup.delete_requested', subject: String(backupId) }),
  afterWorkerLoss: 'end',
  run: deleteBackup,
});

/** Records the deletion of a backup and enqueues it. @throws FluxError `not_ready`, `artifact_gone`, `busy` while it is being verified */
export async function requestDeletion(
  deps: RequestDeps,
  project: ProjectRow,
  row: BackupRow,
  requester: Actor & { readonly name: string },
  override: Override | null,
): Promise<OperationId> {
  // Before anything is read: a pinned backup is never deleted, however good the others are.
  refuseUndeletable(row);
  const { name: by, ...actor } = requester;
  return requestOperation(deps, backupDelete, async () => ({
    project,
    backupId: row.id,
    requester: actor,
    request: { override, by },
  }));
}

/**
 * Removes the file of a backup, when another one with an intact file is kept. The row stays, with who removed the file and when. It is
 * marked first: a row must never claim a file that does not exist; a file without a row is harmless.
 *
 * @throws FluxError `not_ready` when it is pinned or still being created; `artifact_gone` when it was removed before; `gate_refused`
 */
async function deleteBackup(
  deps: ReadingDeps,
  { project, backupId, request, requester }: Order<{ readonly override: Override | null; readonly by: string }>,
  task: Task,
): Promise<OperationResult<'backup_delete'>> {
  const row = await selectBackup(deps.catalog.db, project, requireBackupId(backupId));
  task.progress({ phase: 'gate', message: 'Reading the backup that is kept' });
  const clearance = await requireDeletion(deps, project, row, request.override, task.signal);
  await removeArtifact(deps, project, row, { ...requester, name: request.by }, clearance, task);
  return { backup: await readBackupItem(deps, await selectBackup(deps.catalog.db, project, row.id), 'other') };
}

/** @param clearance from `requireDeletion` */
export async function removeArtifact(
  deps: ReadingDeps,
  project: ProjectRow,
  row: BackupRow,
  actor: Actor & { readonly name: string },
  clearance: Clearance,
  task: Pick<Task, 'requireHeld'>,
): Promise<void> {
  await deps.catalog.db.transaction().execute(async (db) => {
    await task.requireHeld(db);
    await redeemDeletion(db, clearance, project, row, actor);
    // A backup that was pinned or deleted meanwhile is left alone.
    refuseUndeletable((await lockBackup(db, row.id)) ?? row);
    await updateBackup(db, row.id, { removed_at: deps.clock.now(), removed_by: actor.name });
    await markCopiesRemoved(db, row.id);
    await recordAudit(db, actor, { action: 'backup.delete', projectId: project.id, subject: row.id });
  });
  await deleteArtifact(deps.store, { projectId: row.project_id, backupId: row.id });
}

/** Refuses a backup that cannot be deleted at all. @throws FluxError `not_ready`, `artifact_gone` */
function refuseUndeletable(row: BackupRow): void {
  if (row.status === 'queued' || row.status === 'running')
    throw new FluxError('not_ready', `Backup ${row.id} is still being created.`, { hint: 'Wait for it to end: `flux backup list`.' });
  if (row.pinned)
    throw new FluxError('not_ready', `Backup ${row.id} is pinned.`, { hint: `Unpin it first: \`flux backup unpin --id ${row.id}\`.` });
  requirePresent(row, 'There is nothing left to delete.');
}
