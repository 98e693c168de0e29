import { FluxError } from '@flux/contract/errors';
import type { ArtifactPieces } from '../artifacts/read-pieces.ts';
import type { ArtifactStore } from '../artifacts/store.ts';
import type { BackupRow } from '../catalog/backups.ts';
import type { ProjectRow } from '../catalog/projects.ts';

/** An artifact that may be sent. `open` may be called for any part of it. */
export interface Download {
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly filename: string;
  open(range?: { readonly start: number; readonly end: number }): Promise<ArtifactPieces>;
}

/**
 * Looks up what a download sends, before the first byte of an answer: a missing file is an answer of its own, never a stream
 * that breaks.
 *
 * @throws FluxError `artifact_gone` with who removed it and when; `not_ready` for a backup that is not complete
 */
export async function openDownload(store: ArtifactStore, project: ProjectRow, row: BackupRow): Promise<Download> {
  if (row.status !== 'complete' || row.size_bytes === null || row.sha256 === null) {
    throw new FluxError('not_ready', `Backup ${row.id} is ${row.status}, so it has no artifact to download.`, {
      hint: 'See `flux backup list --verbose`, or make a new one with `flux backup create`.',
      details: { failure: row.failure },
    });
  }
  if (row.removed_at !== null) {
    throw new FluxError(
      'artifact_gone',
      `The file of backup ${row.id} was removed by ${row.removed_by} at ${row.removed_at.toISOString()}.`,
      {
        hint: 'Take a newer one: `flux backup list`.',
        details: { removedBy: row.removed_by, removedAt: row.removed_at.toISOString() },
      },
    );
  }
  const key = { projectId: row.project_id, backupId: row.id };
  const found = await store.stat(key);
  if (found === undefined) {
    throw new FluxError('artifact_gone', `The file of backup ${row.id} is not on the backup volume, and Flux did not remove it.`, {
      hint: 'When the volume was unmounted, mount it again; otherwise make a new backup with `flux backup create`.',
      details: { removedBy: null, removedAt: null },
    });
  }
  if (found.sizeBytes !== row.size_bytes) {
    throw new FluxError(
      'artifact_invalid',
      `The file of backup ${row.id} has ${found.sizeBytes} bytes instead of ${row.size_bytes}: it was damaged after it was written.`,
      {
        hint: 'Make a new backup with `flux backup create`, and check the disk of the backup volume.',
      },
    );
  }
  return {
    sizeBytes: row.size_bytes,
    sha256: row.sha256,
    filename: `${project.hash}-${row.id}.dump`,
    open: (range) => store.read(key, range),
  };
}
