import type { BackupId, ProjectId } from '@flux/contract/ids';
import type { BlobStore } from './store.ts';

const DELETE_TIMEOUT_MS = 60_000;

/** Which backup of which project. */
export interface BackupReference {
  readonly projectId: ProjectId;
  readonly backupId: BackupId;
}

/** Key of the artifact of a backup. */
export function artifactKey({ projectId, backupId }: BackupReference): string {
  return `${projectId}/${backupId}.dump`;
}

/** Key of the copy of the manifest beside the artifact. The catalog has the manifest that verifications use. */
export function manifestKey({ projectId, backupId }: BackupReference): string {
  return `${projectId}/${backupId}.manifest.json`;
}

/**
 * Deletes artifact and manifest of a backup; succeeds when they are not there. The artifact goes first: a manifest without an
 * artifact is litter, an artifact without a manifest looks like a backup.
 *
 * Not cancellable, since the catalog says by now that they are gone; a store that does not answer is given up after a minute.
 */
export async function deleteArtifact(store: BlobStore, backup: BackupReference): Promise<void> {
  const signal = AbortSignal.timeout(DELETE_TIMEOUT_MS);
  await store.delete(artifactKey(backup), signal);
  await store.delete(manifestKey(backup), signal);
}
