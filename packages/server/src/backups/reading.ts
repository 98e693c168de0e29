import { createHash } from 'node:crypto';
import { FluxError, isFluxError } from '@flux/contract/errors';
import { artifactKey } from '../blobs/artifact-keys.ts';
import type { BlobPieces, BlobStore } from '../blobs/store.ts';
import type { LocalBlob, Workspace } from '../blobs/workspace.ts';
import { recordAudit } from '../catalog/audit.ts';
import { type BackupChange, type BackupRow, findBackupById, lockBackup, updateBackup } from '../catalog/backups.ts';
import { updateCopy } from '../catalog/copies.ts';
import type { Catalog } from '../catalog/open.ts';
import { findArchiveDamage } from '../postgres/archive/walk.ts';
import type { Clock } from '../system/clock.ts';
import { checkArtifact } from './item.ts';
import { readAgreedManifest } from './records.ts';
import { isProven } from './trust.ts';

/** The result of reading an artifact. */
export interface BytesRead {
  readonly sizeBytes: number;
  readonly sha256: string;
  /** The damage, in one sentence; undefined when there is none. */
  readonly damage: string | undefined;
  /** `bytes` were compared with the catalog; `archive` also had every block of the archive walked; `none`: they could not be read. */
  readonly extent: 'none' | 'bytes' | 'archive';
}

/** Who reads artifacts, as recorded in the row. */
export type Reader = 'the gate' | 'a download' | 'a restore' | 'a verification' | 'the validation' | 'a deletion';

/** What a reading needs: the store, and the catalog that its result is recorded in. */
export interface ReadingDeps {
  readonly catalog: Catalog;
  readonly store: BlobStore;
  readonly clock: Clock;
}

/** The same, and the workspace for local files. */
export interface LendingDeps extends ReadingDeps {
  readonly sandbox: { readonly workspace: Workspace };
}

const SYSTEM = { userId: null, tokenId: null };

/**
 * Reads every byte of an artifact, compares size and SHA-256 with the catalog, and records the result.
 *
 * @throws FluxError `artifact_gone`, `volume_unusable`, which are recorded as well
 */
export async function compareBytes(deps: ReadingDeps, row: BackupRow, reader: Reader, signal: AbortSignal): Promise<BytesRead> {
  return readOnce(deps, row, reader, signal);
}

/** The same, and also walks the structure of the archive from its first block to its last in the same pass. */
export async function readArtifact(deps: ReadingDeps, row: BackupRow, reader: Reader, signal: AbortSignal): Promise<BytesRead> {
  return readOnce(deps, row, reader, signal, findArchiveDamage);
}

/** The same for a lent file: what is restored from it afterwards are the bytes that were read here. */
export async function readLentArtifact(
  deps: ReadingDeps,
  row: BackupRow,
  lent: LocalBlob,
  reader: Reader,
  signal: AbortSignal,
): Promise<BytesRead> {
  return readOnce(deps, row, reader, signal, findArchiveDamage, lent);
}

/**
 * Reads the file of a backup as `compareBytes` does, compares everything that was recorded of it, and returns why it is not intact, in one
 * sentence; undefined when it is. A file that is missing or cannot be read is an answer too, and so are records that contradict each other.
 */
export async function findProblem(deps: ReadingDeps, row: BackupRow, reader: Reader, signal: AbortSignal): Promise<string | undefined> {
  const problem = await lookAtArtifact(deps, row);
  if (problem !== null) return problem;
  try {
    const { damage } = await compareBytes(deps, row, reader, signal);
    if (damage === undefined) await readAgreedManifest(deps, row, signal);
    return damage;
  } catch (error) {
    if (isFluxError(error, 'artifact_gone') || isFluxError(error, 'volume_unusable')) return error.message;
    if (isFluxError(error, 'verification_inconclusive')) return error.message;
    throw error;
  }
}

/** Checks existence and size of the file of a backup as `checkArtifact` does, and records a problem as the state of the copy. */
export async function lookAtArtifact(deps: ReadingDeps, row: BackupRow): Promise<string | null> {
  const { file, problem } = await checkArtifact(deps.store, row);
  if (problem !== null && row.status === 'complete') await recordCopy(deps, row, file === 'missing' ? 'missing' : 'damaged', problem);
  return problem;
}

/** A local file of the artifact of a backup, for tools. @throws FluxError `artifact_gone`, `volume_full`, `volume_unusable` */
export async function lendArtifact(deps: LendingDeps, row: BackupRow, reader: Reader, signal: AbortSignal): Promise<LocalBlob> {
  const key = artifactKey({ projectId: row.project_id, backupId: row.id });
  return recordingFailure(deps, row, reader, async () => {
    try {
      return await deps.sandbox.workspace.lend(deps.store, key, signal);
    } catch (error) {
      // The folder that the file is lent into may be at fault: only the store's own answer says something about the artifact.
      if (isFluxError(error, 'volume_unusable')) await (await deps.store.get(key, { signal })).return();
      throw error;
    }
  });
}

/**
 * Opens or reads the file of a backup, and records a failure: a file that is missing, or that is in its place and cannot be read. When
 * the store itself does not answer, nothing is known about the file, and nothing is recorded.
 */
export async function recordingFailure<T>(deps: ReadingDeps, row: BackupRow, reader: Reader, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (isFluxError(error, 'artifact_gone')) {
      const message = `The file of backup ${row.id} no longer exists.`;
      await recordCopy(deps, row, 'missing', message);
      throw new FluxError('artifact_gone', message, { hint: error.hint, cause: error });
    }
    if (isFluxError(error, 'volume_unusable') && (await checkArtifact(deps.store, row)).problem === null) {
      const damage = `The file cannot be read: ${error.message}`;
      await recordReading(deps, row.id, { sizeBytes: 0, sha256: '', damage, extent: 'none' }, reader);
    }
    throw error;
  }
}

/** Records the state of the copy alone: the label follows from looking at the file again, and returns with it. */
export async function recordCopy(
  { catalog, store, clock }: ReadingDeps,
  { id }: Pick<BackupRow, 'id'>,
  state: 'missing' | 'damaged',
  problem: string,
): Promise<void> {
  await updateCopy(catalog.db, id, store.name, { state, problem, checked_at: clock.now() });
}

/** @param walk may stop before the end; its findings count only when the bytes are those that were written */
async function readOnce(
  deps: ReadingDeps,
  row: BackupRow,
  reader: Reader,
  signal: AbortSignal,
  walk?: Walk,
  lent?: LocalBlob,
): Promise<BytesRead> {
  const { sizeBytes, sha256, structure } = await recordingFailure(deps, row, reader, async () => {
    const key = artifactKey({ projectId: row.project_id, backupId: row.id });
    return digestPieces(lent?.read(signal) ?? (await deps.store.get(key, { signal })), signal, walk);
  });
  const damage = damageOf(row, sizeBytes, sha256) ?? structure;
  const read: BytesRead = { sizeBytes, sha256, damage, extent: walk === undefined ? 'bytes' : 'archive' };
  await recordReading(deps, row.id, read, reader);
  return read;
}

type Walk = (bytes: AsyncIterable<Buffer>) => Promise<string | undefined>;

/** Hashes pieces, and walks them in the same pass. */
export async function digestPieces(pieces: BlobPieces, signal: AbortSignal, walk: Walk | undefined) {
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
    structure = await walk?.(bytes);
    // After the walk stops, the digest continues.
    for await (const _ of bytes);
  } finally {
    await pieces.return();
  }
  return { sizeBytes, sha256: hash.digest('hex'), structure };
}

/** How bytes of this size and digest are damaged; undefined when they are those that were written. */
export function damageOf(row: Pick<BackupRow, 'size_bytes' | 'sha256'>, sizeBytes: number, sha256: string): string | undefined {
  if (sizeBytes !== row.size_bytes) return `The artifact has ${sizeBytes} bytes; ${row.size_bytes} were written.`;
  if (sha256 !== row.sha256) return `The artifact's SHA-256 is ${sha256}; ${row.sha256} was written: its bytes have changed.`;
  return undefined;
}

/**
 * The only function that records the result of reading an artifact, for every reader. A change of the row is audited; a
 * reading without news changes nothing.
 */
export async function recordReading(
  { catalog, store, clock }: ReadingDeps,
  id: BackupRow['id'],
  read: BytesRead,
  reader: Reader,
): Promise<void> {
  const before = await findBackupById(catalog.db, id);
  if (before === undefined || before.status !== 'complete' || before.removed_at !== null) return;
  const state = read.damage === undefined ? 'present' : 'damaged';
  const lastRead = read.extent === 'none' ? {} : { bytes_read_at: clock.now() };
  await updateCopy(catalog.db, id, store.name, { state, problem: read.damage ?? null, checked_at: clock.now() });
  if (changeByReading(before, read, reader, clock.now()) === undefined) {
    if (read.extent !== 'none') await updateBackup(catalog.db, id, lastRead);
    return;
  }
  await catalog.db.transaction().execute(async (db) => {
    // Locked: two readings of one file, or a reading and a verdict, must not overwrite each other's results.
    const row = await lockBackup(db, id);
    const change = row === undefined ? undefined : changeByReading(row, read, reader, clock.now());
    if (row === undefined || change === undefined) return;
    await updateBackup(db, id, { ...change, ...lastRead });
    // The first reading after a backup was created is audited only when it finds damage.
    if (row.artifact_validation === 'pending' && read.damage === undefined) return;
    const action = read.damage === undefined ? 'backup.artifact_good_again' : 'backup.artifact_damaged';
    await recordAudit(db, SYSTEM, { action, projectId: row.project_id, subject: id, details: { by: reader, damage: read.damage ?? null } });
  });
}

/**
 * How a reading changes a row.
 *
 * Damage makes the artifact invalid and its verification `skipped`; the verified digest stays recorded, so that the label returns when
 * the bytes do. Intact bytes make it valid again and restore the label that they were verified under; bytes that were never restored
 * only become valid again when the archive was walked as well, since its structure may have been the problem.
 */
function changeByReading(row: BackupRow, read: BytesRead, reader: Reader, now: Date): BackupChange | undefined {
  if (row.status !== 'complete' || row.removed_at !== null) return undefined;
  const { artifact_validation, restore_verification } = row;
  if (read.damage !== undefined) {
    // The same finding again is no news: the first one says since when.
    if (artifact_validation === 'artifact_invalid' && row.artifact_validation_error?.startsWith(read.damage) === true) return undefined;
    return {
      artifact_validation: 'artifact_invalid',
      artifact_validated_at: now,
      artifact_validation_error: `${read.damage} Found by ${reader} at ${now.toISOString()}.`,
      ...(restore_verification === 'restore_failed' ? {} : { restore_verification: 'skipped' }),
    };
  }
  if (artifact_validation === 'artifact_valid') return undefined;
  if (read.extent === 'bytes' && !isProven(row)) return undefined;
  return {
    artifact_validation: 'artifact_valid',
    artifact_validated_at: now,
    artifact_validation_error: null,
    ...(restore_verification === 'skipped' ? { restore_verification: isProven(row) ? 'restore_verified' : 'pending' } : {}),
  };
}
