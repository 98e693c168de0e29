import { FluxError } from '@flux/contract/errors';
import type { BackupId } from '@flux/contract/ids';
import { type BackupRow, findBackupById } from '../../catalog/backups.ts';
import type { Task } from '../../operations/define.ts';
import type { Manifest } from '../../postgres/manifest.ts';
import { requireBackupId } from '../create.ts';
import { readManifest } from '../manifest.ts';
import { requirePresent } from '../present.ts';
import { type LendingDeps, lendArtifact, readLentArtifact } from '../reading.ts';
import { readAgreedManifest } from '../records.ts';
import type { LocalArchive } from './load.ts';

/** A backup whose bytes are those that were dumped. Disposing of it returns the local file. */
export interface OpenedBackup extends LocalArchive, AsyncDisposable {
  readonly row: BackupRow;
  readonly manifest: Manifest;
  /**
   * For results of a program that has read the file by its path: it has read the bytes that were hashed.
   *
   * @throws FluxError `artifact_invalid` when somebody wrote into the file meanwhile
   */
  requireUnmodified(): Promise<void>;
  /** How the bytes differ from those that were dumped; only when that was accepted. */
  readonly damage?: string | undefined;
}

/**
 * Reads a whole artifact and compares it with the catalog; what it finds is recorded. A restore changes nothing before this.
 *
 * @param backupId of the operation; one that restores always has it
 * @param unproven `accepted` opens damaged bytes too: size and digest are those that were found
 * @throws FluxError `backup_not_found`, `artifact_invalid`, `artifact_gone`; `verification_inconclusive` for records that contradict each other
 */
export async function openBackup(
  deps: LendingDeps,
  backupId: BackupId | null,
  task: Task,
  unproven: 'accepted' | 'refused' = 'refused',
): Promise<OpenedBackup> {
  const row = await findBackupById(deps.catalog.db, requireBackupId(backupId));
  if (row === undefined)
    throw new FluxError('backup_not_found', 'The backup is not in the catalog any more.', {
      hint: 'Choose another one: `flux backup list`.',
    });
  refuseUnrestorable(row);
  task.progress({ phase: 'read', message: 'Reading the artifact', total: row.size_bytes ?? 0, unit: 'bytes' });
  const lent = await lendArtifact(deps, row, 'a restore', task.signal);
  try {
    const bytes = await readLentArtifact(deps, row, lent, 'a restore', task.signal);
    const { sha256, sizeBytes, damage } = bytes;
    if (damage !== undefined && unproven === 'refused')
      throw new FluxError('artifact_invalid', `Backup ${row.id} cannot be restored: ${damage} Nothing was changed.`, {
        hint: 'Choose another one: `flux backup list`. If there is none, --accept-unproven with --into or --to restores what is left of this one.',
      });
    // In an emergency a copy that somebody has changed is in nobody's way.
    const manifest = unproven === 'accepted' ? await readManifest(deps.catalog.db, row) : await readAgreedManifest(deps, row, task.signal);
    const requireUnmodified = async () => {
      if (!(await lent.wasModified(sha256, task.signal))) return;
      throw new FluxError(
        'artifact_invalid',
        `The file of backup ${row.id} was written to while it was being restored. Nothing was changed.`,
        {
          hint: `Check what writes to the backup volume, and verify the backup again: \`flux backup verify --id ${row.id}\`.`,
        },
      );
    };
    return {
      row,
      manifest,
      path: lent.path,
      sha256,
      sizeBytes,
      damage,
      requireUnmodified,
      [Symbol.asyncDispose]: () => lent[Symbol.asyncDispose](),
    };
  } catch (error) {
    await lent[Symbol.asyncDispose]();
    throw error;
  }
}

/** Refuses a backup that has no artifact. @throws FluxError `not_ready`, `artifact_gone` */
export function refuseUnrestorable(row: BackupRow): void {
  if (row.status !== 'complete')
    throw new FluxError('not_ready', `Backup ${row.id} is ${row.status}, so there is nothing to restore.`, {
      hint: 'Choose another one: `flux backup list`.',
    });
  requirePresent(row, 'Choose another one: `flux backup list`.');
}
