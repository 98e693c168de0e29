import { createHash } from 'node:crypto';
import { FluxError } from '@flux/contract/errors';
import { artifactKey } from '../blobs/artifact-keys.ts';
import type { BlobPieces } from '../blobs/store.ts';
import type { BackupRow } from '../catalog/backups.ts';
import type { ProjectRow } from '../catalog/projects.ts';
import { requirePresent } from './present.ts';
import { damageOf, type ReadingDeps, recordCopy, recordingFailure, recordReading } from './reading.ts';

/** An artifact to send. `open` may be called for any part of it. */
export interface Download {
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly filename: string;
  /**
   * The bytes of a part, or of the whole. The whole is hashed while it is read: when it is not what was written, that is recorded, and
   * an error is thrown in place of the last byte, so that no client can mistake what it received for a backup.
   */
  open(range?: { readonly start: number; readonly end: number }): Promise<BlobPieces>;
}

/** A download whose artifact is known to exist. */
type CompleteRow = BackupRow & { readonly size_bytes: number; readonly sha256: string };

/**
 * Looks up what a download sends before the first byte of the answer: a missing file is a proper error, never a broken stream.
 *
 * @throws FluxError `artifact_gone` with who removed it and when; `not_ready` for a backup that is not complete
 */
export async function openDownload(deps: ReadingDeps, project: ProjectRow, row: BackupRow, signal: AbortSignal): Promise<Download> {
  if (!isComplete(row)) {
    throw new FluxError('not_ready', `Backup ${row.id} is ${row.status}, so it has no artifact to download.`, {
      hint: 'See `flux backup list --verbose`, or create a new one with `flux backup create`.',
      details: { failure: row.failure },
    });
  }
  requirePresent(row, 'Choose a newer one: `flux backup list`.');
  const key = artifactKey({ projectId: row.project_id, backupId: row.id });
  const found = await deps.store.stat(key, signal);
  if (found === undefined) {
    await recordCopy(deps, row, 'missing', 'The file is not on the backup volume.');
    throw new FluxError('artifact_gone', `The file of backup ${row.id} is not on the backup volume, and Flux did not remove it.`, {
      hint: 'When the volume was unmounted, mount it again; otherwise create a new backup with `flux backup create`.',
      details: { removedBy: null, removedAt: null },
    });
  }
  if (found.sizeBytes !== row.size_bytes) {
    await recordCopy(deps, row, 'damaged', `The file has ${found.sizeBytes} bytes; ${row.size_bytes} were written.`);
    throw new FluxError(
      'artifact_invalid',
      `The file of backup ${row.id} has ${found.sizeBytes} bytes instead of ${row.size_bytes}: it was damaged after it was written.`,
      {
        hint: 'Create a new backup with `flux backup create`, and check the disk of the backup volume.',
      },
    );
  }
  return {
    sizeBytes: row.size_bytes,
    sha256: row.sha256,
    filename: `${project.hash}-${row.id}.dump`,
    open: async (range = { start: 0, end: row.size_bytes - 1 }) => {
      const pieces = await recordingFailure(deps, row, 'a download', () => deps.store.get(key, { range, signal }));
      const isWhole = range.start === 0 && range.end === row.size_bytes - 1;
      return isWhole ? checkWhole(deps, row, pieces) : pieces;
    },
  };
}

function isComplete(row: BackupRow): row is CompleteRow {
  return row.status === 'complete' && row.size_bytes !== null && row.sha256 !== null;
}

/** Passes pieces on and hashes them. The last byte is held until the digest matches: a client that has all bytes relies on them. */
function checkWhole(deps: ReadingDeps, row: CompleteRow, pieces: BlobPieces): BlobPieces {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  let lastByte: Buffer | undefined;
  const finish = async () => {
    const sha256 = hash.digest('hex');
    const damage = damageOf(row, sizeBytes, sha256);
    await recordReading(deps, row.id, { sizeBytes, sha256, damage, extent: 'bytes' }, 'a download');
    if (damage === undefined) return;
    await pieces.return();
    throw new FluxError('artifact_invalid', `The file of backup ${row.id} was damaged after it was written: ${damage}`);
  };
  return {
    async next() {
      if (lastByte !== undefined) {
        const value = lastByte;
        lastByte = undefined;
        await finish();
        return { done: false, value };
      }
      const piece = await recordingFailure(deps, row, 'a download', () => pieces.next());
      if (piece.done === true) {
        // Fewer bytes than the store reported a moment ago.
        if (sizeBytes < row.size_bytes) await finish();
        return piece;
      }
      hash.update(piece.value);
      sizeBytes += piece.value.length;
      if (sizeBytes < row.size_bytes) return piece;
      lastByte = piece.value.subarray(-1);
      if (piece.value.length === 1) return this.next();
      return { done: false, value: piece.value.subarray(0, -1) };
    },
    return: () => pieces.return(),
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
