import { createHash } from 'node:crypto';
import type { BackupAnswer } from '@flux/contract/backup';
import { FluxError } from '@flux/contract/errors';
import type { BackupId } from '@flux/contract/ids';
import type { StoredBlob } from '../blobs/store.ts';
import { type BackupRow, findBackupById, insertManifest, updateBackup } from '../catalog/backups.ts';
import { insertChangeMarks } from '../catalog/change-marks.ts';
import { insertCopy } from '../catalog/copies.ts';
import { toStoredJson } from '../catalog/stored-json.ts';
import type { Task } from '../operations/define.ts';
import type { DumpSession } from '../postgres/dump-session.ts';
import type { Manifest } from '../postgres/manifest.ts';
import type { Log } from '../system/log.ts';
import { readBackupItem } from './item.ts';
import { boundLeftOut } from './left-out.ts';
import type { ReadingDeps } from './reading.ts';
import { validateBackup } from './validate.ts';

/** What completing a backup uses, whoever has stored its artifact. */
export interface CompleteDeps extends ReadingDeps {
  readonly log: Log;
}

/**
 * Ends the work on a backup that was recorded as complete: reads its artifact again.
 *
 * @throws FluxError `artifact_invalid`
 */
export async function completeBackup(deps: CompleteDeps, backupId: BackupId, task: Task): Promise<BackupAnswer> {
  const { catalog, store, clock } = deps;
  task.progress({ phase: 'validate', message: 'Reading the artifact again' });
  await validateBackup(deps, backupId, task.signal);
  const row = await requireBackup(deps, backupId);
  if (row.artifact_validation === 'artifact_invalid') {
    throw new FluxError('artifact_invalid', `The artifact that was just written is not valid: ${row.artifact_validation_error}`, {
      hint: 'Check the disk of the backup volume, then run `flux backup create` again.',
      details: { backupId },
    });
  }
  deps.log.info(
    { backup: backupId, project: row.project_id, sizeBytes: row.size_bytes, ms: clock.now().getTime() - row.created_at.getTime() },
    'backup complete',
  );
  return { backup: await readBackupItem({ catalog, store }, row, 'other') };
}

/** @throws FluxError `backup_not_found` */
export async function requireBackup({ catalog }: Pick<CompleteDeps, 'catalog'>, id: BackupId): Promise<BackupRow> {
  const row = await findBackupById(catalog.db, id);
  if (row === undefined) throw new FluxError('backup_not_found', `Backup ${id} is no longer in the catalog.`);
  return row;
}

/** Records that artifact and manifest of a backup are stored, and durable. */
export async function recordComplete(
  deps: CompleteDeps,
  backupId: BackupId,
  copy: StoredBlob & { readonly store: string; readonly key: string },
  { manifest, text, changeMarks }: { readonly manifest: Manifest; readonly text: string } & Pick<DumpSession, 'changeMarks'>,
  task: Task,
): Promise<void> {
  const manifestSha256 = createHash('sha256').update(text).digest('hex');
  const now = deps.clock.now();
  await deps.catalog.db.transaction().execute(async (db) => {
    await task.requireHeld(db);
    await insertManifest(db, backupId, manifestSha256, text);
    if (changeMarks !== undefined) await insertChangeMarks(db, backupId, changeMarks);
    await insertCopy(db, {
      backup_id: backupId,
      store: copy.store,
      key: copy.key,
      stored_size_bytes: copy.sizeBytes,
      stored_sha256: copy.sha256,
      state: 'present',
      created_at: now,
    });
    await updateBackup(db, backupId, {
      status: 'complete',
      completed_at: now,
      // The size of the content, which is stored unchanged.
      size_bytes: copy.sizeBytes,
      sha256: copy.sha256,
      manifest_sha256: manifestSha256,
      postgres_version: manifest.server.version,
      tables_total: manifest.tables.length,
      rows_total: manifest.tables.reduce((sum, table) => sum + table.rows, 0),
      left_out: toStoredJson(boundLeftOut(manifest.leftOut)),
    });
  });
}
