import type { BackupId } from '@flux/contract/ids';
import { findBackupById, listUnvalidatedBackups } from '../catalog/backups.ts';
import type { Log } from '../system/log.ts';
import { type ReadingDeps, readArtifact } from './reading.ts';

/**
 * Validates a complete artifact: it exists, has the recorded size and SHA-256, and its table of contents and every block can be walked.
 * The result is recorded. A valid archive does not prove that it can be restored; an invalid one proves that it cannot.
 */
export async function validateBackup(deps: ReadingDeps, backupId: BackupId, signal: AbortSignal): Promise<void> {
  const row = await findBackupById(deps.catalog.db, backupId);
  if (row === undefined || row.status !== 'complete') return;
  await readArtifact(deps, row, 'the validation', signal);
}

/**
 * Validates the backups that a killed control plane left complete but not validated: their label would otherwise say forever that they are
 * being validated. One that cannot be read now stays as it is, and the next start tries again.
 */
export async function validateLeftovers(deps: ReadingDeps & { readonly log: Log }, signal: AbortSignal): Promise<void> {
  for (const { id } of await listUnvalidatedBackups(deps.catalog.db)) {
    if (signal.aborted) return;
    await validateBackup(deps, id, signal).catch((error) => deps.log.warn({ err: error, backup: id }, 'a backup could not be validated'));
  }
}
