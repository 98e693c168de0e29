import { FluxError } from '@flux/contract/errors';
import { trustLabel } from '@flux/contract/labels';
import { type Actor, recordAudit } from '../catalog/audit.ts';
import { type BackupRow, findNewestVerifiedBackup, updateBackup } from '../catalog/backups.ts';
import type { ProjectRow } from '../catalog/projects.ts';
import type { Clock } from '../system/clock.ts';
import { type Clearance, type GateDoors, type Refusal, redeemClearance, refusalError } from './gate.ts';

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

/** Tells whether a backup is the way back: the newest one that was proven and whose file was not removed. */
export async function isLastWayBack({ catalog }: GateDoors, row: BackupRow): Promise<boolean> {
  return (await findNewestVerifiedBackup(catalog.db, row.project_id))?.id === row.id;
}

/**
 * Removes the file of a backup. The row stays, and says who and when. It is marked first: a row that claims bytes which are
 * gone would be a lie, bytes that no row claims are only litter.
 *
 * @param clearance needed for the newest restore-verified one, null for any other
 * @throws FluxError `not_ready` when it is pinned, still being made, or was removed before; `gate_refused` without clearance
 */
export async function deleteBackup(
  doors: GateDoors & { readonly clock: Clock },
  project: ProjectRow,
  row: BackupRow,
  actor: Actor & { readonly name: string },
  clearance: Clearance | null,
): Promise<void> {
  refuseUndeletable(row);
  await doors.catalog.db.transaction().execute(async (db) => {
    if ((await findNewestVerifiedBackup(db, project.id))?.id === row.id) {
      if (clearance === null) throw refusalError(lastWayBackRefusal(row));
      await redeemClearance(db, clearance, project, 'delete_last_verified', actor);
    }
    await updateBackup(db, row.id, { removed_at: doors.clock.now(), removed_by: actor.name });
    await recordAudit(db, actor, { action: 'backup.delete', projectId: project.id, subject: row.id });
  });
  await doors.store.remove({ projectId: row.project_id, backupId: row.id });
}

/** Why the way back is not deleted: that it is proven is the very reason to keep it. */
export function lastWayBackRefusal(row: BackupRow): Refusal {
  return {
    tier: 'restorable',
    label: trustLabel('restorable', row.kind),
    guidance: 'This is the newest restore-verified backup: without it there is no proven way back.',
    detail: `backup ${row.id} of ${row.created_at.toISOString()}`,
  };
}

function refuseUndeletable(row: BackupRow): void {
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
