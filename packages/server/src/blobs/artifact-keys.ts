import { type BackupId, isBackupId, isUuid, type ProjectId } from '@flux/contract/ids';
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

/** What the keys of everything begin with that is no artifact and no manifest. */
export const RECEIPTS_OF = 'receipts/';

/** Key of the copy of a receipt and its proof, so that they outlive the catalog. */
export function receiptKey({ projectId, sequence }: { readonly projectId: ProjectId; readonly sequence: number }): string {
  return `${RECEIPTS_OF}${projectId}/${sequence}.json`;
}

/** Key of the copy of a key that signs receipts; its private half is sealed. */
export function signingKeyKey(id: string): string {
  return `${SIGNING_KEYS}${id}.json`;
}

/** What the keys of those copies begin with. */
export const SIGNING_KEYS = `${RECEIPTS_OF}keys/`;

/** What a key of the store belongs to; undefined for one that Flux does not use. */
export function parseKey(
  key: string,
):
  | { readonly projectId: ProjectId; readonly backupId: BackupId }
  | { readonly projectId: ProjectId; readonly sequence: number }
  | undefined {
  const [, artifactOf, backupId = ''] = /^([0-9a-f-]{36})\/([0-9a-f-]{36})\.dump$/.exec(key) ?? [];
  if (artifactOf !== undefined)
    return isUuid(artifactOf) && isBackupId(backupId) ? { projectId: artifactOf as ProjectId, backupId } : undefined;
  const [, receiptOf = '', sequence] = /^receipts\/([0-9a-f-]{36})\/([1-9]\d{0,14})\.json$/.exec(key) ?? [];
  return isUuid(receiptOf) ? { projectId: receiptOf as ProjectId, sequence: Number(sequence) } : undefined;
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
