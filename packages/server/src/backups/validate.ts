import type { BackupId } from '@flux/contract/ids';
import { findBackupById } from '../catalog/backups.ts';
import type { BackupDoors } from './doors.ts';
import { readArtifact } from './reading.ts';

/**
 * Looks at a complete artifact at once: it exists, has the recorded size and SHA-256, and its table of contents and every
 * block can be walked. What it finds is recorded. This makes nobody trust a restore; it only tells early that one is hopeless.
 */
export async function validateBackup(doors: BackupDoors, backupId: BackupId, signal: AbortSignal): Promise<void> {
  const row = await findBackupById(doors.catalog.db, backupId);
  if (row === undefined || row.status !== 'complete') return;
  await readArtifact(doors, row, 'the validation', signal);
}

/**
 * Validates what a control plane that was killed between the two steps left complete but not looked at: its label would say
 * for ever that it is being validated. One that cannot be looked at now stays as it is, and the next start tries again.
 */
export async function validateLeftovers(doors: BackupDoors, signal: AbortSignal): Promise<void> {
  const rows = await doors.catalog.db
    .selectFrom('backups')
    .select('id')
    .where('status', '=', 'complete')
    .where('artifact_validation', '=', 'pending')
    .where('removed_at', 'is', null)
    .execute();
  for (const { id } of rows) {
    if (signal.aborted) return;
    await validateBackup(doors, id, signal).catch((error) => doors.log.warn({ err: error, backup: id }, 'a backup could not be validated'));
  }
}
