import { FluxError } from '@flux/contract/errors';
import { type Actor, recordAudit } from '../catalog/audit.ts';
import { type BackupRow, lockBackup, updateBackup } from '../catalog/backups.ts';
import type { ProjectRow } from '../catalog/projects.ts';
import { type Clearance, type GateDoors, redeemDeletion } from './gate.ts';

/** Keeps a backup whatever any policy says, or lets the policy decide again. */
export async function setPinned(
  { catalog }: GateDoors,
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

/**
 * Removes the file of a backup. The row stays, and says who and when. It is marked first: a row that claims bytes which are
 * gone would be a lie, bytes that no row claims are only litter.
 *
 * @param clearance from `requireDeletion`
 * @throws FluxError `not_ready` when it is pinned or still being made; `artifact_gone` when it was removed before; `gate_refused`
 * when what the clearance rests on has changed
 */
export async function deleteBackup(
  doors: GateDoors,
  project: ProjectRow,
  row: BackupRow,
  actor: Actor & { readonly name: string },
  clearance: Clearance,
): Promise<void> {
  await doors.catalog.db.transaction().execute(async (db) => {
    await redeemDeletion(db, clearance, project, row, actor);
    // What was pinned or deleted by somebody else meanwhile stays as it is now.
    refuseUndeletable((await lockBackup(db, row.id)) ?? row);
    await updateBackup(db, row.id, { removed_at: doors.clock.now(), removed_by: actor.name });
    await recordAudit(db, actor, { action: 'backup.delete', projectId: project.id, subject: row.id });
  });
  await doors.store.remove({ projectId: row.project_id, backupId: row.id });
}

/** Refuses what cannot be deleted whatever stays behind. @throws FluxError `not_ready`, `artifact_gone` */
export function refuseUndeletable(row: BackupRow): void {
  if (row.status === 'queued' || row.status === 'running')
    throw new FluxError('not_ready', `Backup ${row.id} is still being made.`, { hint: 'Wait for it to end: `flux backup list`.' });
  if (row.pinned)
    throw new FluxError('not_ready', `Backup ${row.id} is pinned.`, { hint: `Let it go first: \`flux backup unpin --id ${row.id}\`.` });
  if (row.removed_at !== null)
    throw new FluxError(
      'artifact_gone',
      `The file of backup ${row.id} was removed by ${row.removed_by} at ${row.removed_at.toISOString()}.`,
      { hint: 'There is nothing left to delete.' },
    );
}
