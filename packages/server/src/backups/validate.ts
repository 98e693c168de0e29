import { createHash } from 'node:crypto';
import type { BackupId } from '@flux/contract/ids';
import type { ArtifactStore } from '../artifacts/store.ts';
import { type BackupRow, findBackupById, updateBackup } from '../catalog/backups.ts';
import type { BackupDoors } from './doors.ts';

/**
 * Looks at a complete artifact at once: it exists, has the recorded size and SHA-256, and its table of contents and every
 * block can be walked. Records what it found. This makes nobody trust a restore; it only tells early that one is hopeless.
 */
export async function validateBackup(doors: BackupDoors, backupId: BackupId, signal: AbortSignal): Promise<void> {
  const row = await findBackupById(doors.catalog.db, backupId);
  if (row === undefined || row.status !== 'complete') return;
  const { damage } = await readArtifact(doors, row, signal);
  await updateBackup(doors.catalog.db, backupId, {
    artifact_validation: damage === undefined ? 'artifact_valid' : 'artifact_invalid',
    artifact_validated_at: doors.clock.now(),
    artifact_validation_error: damage ?? null,
  });
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

/** What reading an artifact again showed. */
export interface BytesRead {
  readonly sizeBytes: number;
  readonly sha256: string;
  /** What is wrong with them, in a sentence; undefined when nothing is. */
  readonly damage: string | undefined;
}

/** Reads every byte of an artifact from the store and compares size and SHA-256 with the catalog. */
export async function compareBytes(store: ArtifactStore, row: BackupRow, signal: AbortSignal): Promise<BytesRead> {
  return readOnce(store, row, signal, async () => undefined);
}

/** The same, and in the same pass walks the structure of the archive from its first block to its last. */
export async function readArtifact(
  { store, postgres }: Pick<BackupDoors, 'store' | 'postgres'>,
  row: BackupRow,
  signal: AbortSignal,
): Promise<BytesRead> {
  return readOnce(store, row, signal, (bytes) => postgres.findArchiveDamage(bytes));
}

/** @param walk may stop before the end; what it found counts only when the bytes are those that were written */
async function readOnce(
  store: ArtifactStore,
  row: BackupRow,
  signal: AbortSignal,
  walk: (bytes: AsyncIterable<Buffer>) => Promise<string | undefined>,
): Promise<BytesRead> {
  const pieces = await store.read({ projectId: row.project_id, backupId: row.id });
  const hash = createHash('sha256');
  let sizeBytes = 0;
  async function* digested(): AsyncGenerator<Buffer, undefined> {
    for await (const chunk of pieces) {
      signal.throwIfAborted();
      hash.update(chunk);
      sizeBytes += chunk.length;
      yield chunk;
    }
  }
  const bytes = digested();
  let structure: string | undefined;
  try {
    structure = await walk(bytes);
    // Behind the place where a walk stops, the digest goes on.
    for await (const _ of bytes);
  } finally {
    await pieces.return();
  }
  const sha256 = hash.digest('hex');
  if (sizeBytes !== row.size_bytes)
    return { sizeBytes, sha256, damage: `The artifact has ${sizeBytes} bytes; ${row.size_bytes} were written.` };
  if (sha256 !== row.sha256)
    return { sizeBytes, sha256, damage: `The artifact's SHA-256 is ${sha256}; ${row.sha256} was written: its bytes have changed.` };
  return { sizeBytes, sha256, damage: structure };
}
