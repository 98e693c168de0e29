import type { BackupId, ProjectId } from '@flux/contract/ids';
import type { BlobStore } from './store.ts';

const DELETE_TIMEOUT_MS = 60_000;

/** Identifies a backup of a project. */
export interface BackupReference {
  readonly projectId: ProjectId;
  readonly backupId: BackupId;
}

/** Key of the artifact of a backup. */
export function artifactKey({ projectId, backupId }: BackupReference): string {
  return `${projectId}/${backupId}.dump`;
}

/** Key of the copy of the manifest next to the artifact. Verifications compare with the manifest in the catalog, whose digest must be that of this copy. */
export function manifestKey({ projectId, backupId }: BackupReference): string {
  return `${projectId}/${backupId}.manifest.json`;
}

/**
 * Deletes artifact and manifest of a backup; succeeds when they do not exist. The artifact is deleted first: a manifest without an
 * artifact is harmless, an artifact without a manifest looks like a backup.
 *
 * Not cancellable, because the catalog already says that they are gone; a store that does not answer is abandoned after a minute.
 */
export async function deleteArtifact(store: BlobStore, backup: BackupReference): Promise<void> {
  const signal = AbortSignal.timeout(DELETE_TIMEOUT_MS);
  await store.delete(artifactKey(backup), signal);
  await store.delete(manifestKey(backup), signal);
}
