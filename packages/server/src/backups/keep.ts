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
import { type Clearance, type Override, OverrideSchema, redeemDeletion, requireDeletion } from './gate.ts';
import { readBackupItem } from './item.ts';
import { requirePresent } from './present.ts';
import type { ReadingDeps } from './reading.ts';
import { selectBackup } from './select.ts';

/** Keeps a backup whatever any policy says, or lets the policy decide again. */
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
  // Before anything is read: what is pinned is not deleted, however good the others are.
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
 * Removes the file of a backup, when one with good bytes stays behind. The row stays, and says who and when. It is marked first: a
 * row that claims bytes which are gone would be a lie, bytes that no row claims are only litter.
 *
 * @throws FluxError `not_ready` when it is pinned or still being made; `artifact_gone` when it was removed before; `gate_refused`
 */
async function deleteBackup(
  deps: ReadingDeps,
  { project, backupId, request, requester }: Order<{ readonly override: Override | null; readonly by: string }>,
  task: Task,
): Promise<OperationResult<'backup_delete'>> {
  const row = await selectBackup(deps.catalog.db, project, requireBackupId(backupId));
  task.progress({ phase: 'gate', message: 'Reading the backup that stays behind' });
  const clearance = await requireDeletion(deps, project, row, request.override, task.signal);
  await removeArtifact(deps, project, row, { ...requester, name: request.by }, clearance);
  return { backup: await readBackupItem(deps, await selectBackup(deps.catalog.db, project, row.id), 'other') };
}

/** @param clearance from `requireDeletion` */
export async function removeArtifact(
  deps: ReadingDeps,
  project: ProjectRow,
  row: BackupRow,
  actor: Actor & { readonly name: string },
  clearance: Clearance,
): Promise<void> {
  await deps.catalog.db.transaction().execute(async (db) => {
    await redeemDeletion(db, clearance, project, row, actor);
    // What was pinned or deleted by somebody else meanwhile stays as it is now.
    refuseUndeletable((await lockBackup(db, row.id)) ?? row);
    await updateBackup(db, row.id, { removed_at: deps.clock.now(), removed_by: actor.name });
    await markCopiesRemoved(db, row.id);
    await recordAudit(db, actor, { action: 'backup.delete', projectId: project.id, subject: row.id });
  });
  await deleteArtifact(deps.store, { projectId: row.project_id, backupId: row.id });
}

/** Refuses what cannot be deleted whatever stays behind. @throws FluxError `not_ready`, `artifact_gone` */
function refuseUndeletable(row: BackupRow): void {
  if (row.status === 'queued' || row.status === 'running')
    throw new FluxError('not_ready', `Backup ${row.id} is still being made.`, { hint: 'Wait for it to end: `flux backup list`.' });
  if (row.pinned)
    throw new FluxError('not_ready', `Backup ${row.id} is pinned.`, { hint: `Let it go first: \`flux backup unpin --id ${row.id}\`.` });
  requirePresent(row, 'There is nothing left to delete.');
}
