import type { FluxError } from '@flux/contract/errors';
import type { OperationId } from '@flux/contract/ids';
import { deleteArtifact } from '../blobs/artifact-keys.ts';
import { failUnfinishedBackups } from '../catalog/backups.ts';
import type { DatabaseTransaction } from '../catalog/open.ts';
import type { ReadingDeps } from './reading.ts';

/**
 * Abandons the backups that an operation has not finished: their rows are `failed` from the commit on, and only then their files are
 * removed. A file without a row is harmless; a row must never claim a file that does not exist.
 */
export async function abandonBackups(
  { store }: Pick<ReadingDeps, 'store'>,
  db: DatabaseTransaction,
  { id }: { readonly id: OperationId },
  reason: FluxError,
): Promise<(() => Promise<void>) | undefined> {
  const abandoned = await failUnfinishedBackups(db, id, reason.message);
  if (abandoned.length === 0) return undefined;
  return async () => {
    for (const row of abandoned) await deleteArtifact(store, { projectId: row.project_id, backupId: row.id });
  };
}
