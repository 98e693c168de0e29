import { type BackupItem, LeftOut } from '@flux/contract/backup';
import { isFluxError } from '@flux/contract/errors';
import { trustLabel } from '@flux/contract/labels';
import * as z from 'zod';
import { artifactKey } from '../blobs/artifact-keys.ts';
import type { BlobStore } from '../blobs/store.ts';
import type { BackupRow } from '../catalog/backups.ts';
import { type CopyRow, listCopies } from '../catalog/copies.ts';
import type { Catalog } from '../catalog/open.ts';
import { parseStored } from '../catalog/stored-json.ts';
import { type ArtifactCheck, NOTHING_WRONG, stateOf } from './trust.ts';

/** How much of a backup a viewer may see: only admins see paths of the server. */
export type Viewer = 'admin' | 'other';

/**
 * Whether the artifact of a row exists with the recorded size. Checks existence and size only; does not read the file. A volume that
 * cannot be checked is an answer too: its files cannot be relied on at this moment.
 */
export async function checkArtifact(store: BlobStore, row: BackupRow): Promise<ArtifactCheck> {
  const absent = checkRow(row);
  if (absent !== undefined) return absent;
  const signal = AbortSignal.timeout(CHECK_TIMEOUT_MS);
  try {
    const found = await store.stat(artifactKey({ projectId: row.project_id, backupId: row.id }), signal);
    if (found === undefined) return NOT_THERE;
    // The size of the stored bytes equals that of the content on the only store there is.
    if (found.sizeBytes === row.size_bytes) return NOTHING_WRONG;
    return { file: 'present', problem: `The file has ${found.sizeBytes} bytes; ${row.size_bytes} were written.` };
  } catch (error) {
    if (signal.aborted) return { file: 'missing', problem: `The backup store has not answered within ${CHECK_TIMEOUT_MS / 1000} s.` };
    if (!isFluxError(error, 'volume_unusable')) throw error;
    return { file: 'missing', problem: error.message };
  }
}

const CHECK_TIMEOUT_MS = 10_000;

const NOT_THERE: ArtifactCheck = {
  file: 'missing',
  problem: 'The file is not on the backup volume. If the volume was unmounted, mount it again.',
};

/** What the row alone says; undefined when there should be a file. */
function checkRow(row: BackupRow): ArtifactCheck | undefined {
  if (row.status !== 'complete') return { file: 'missing', problem: 'It has no artifact.' };
  if (row.removed_at !== null)
    return { file: 'missing', problem: `The file was removed by ${row.removed_by} at ${row.removed_at.toISOString()}.` };
  return undefined;
}

/** The last recorded state of a copy, for stores that are too expensive to ask for each row of a list. */
function checkCopy(row: BackupRow, copy: CopyRow | undefined): ArtifactCheck {
  const absent = checkRow(row);
  if (absent !== undefined) return absent;
  if (copy === undefined || copy.state === 'removed') return NOT_THERE;
  if (copy.state === 'present') return NOTHING_WRONG;
  return { file: copy.state === 'missing' ? 'missing' : 'present', problem: copy.problem };
}

/** A row as it is sent. */
function toBackupItem(row: BackupRow, look: ArtifactCheck, copy: CopyRow | undefined, viewer: Viewer): BackupItem {
  const { tier, artifactValidation, artifactValidationError, restoreVerification } = stateOf(row, look);
  // A time belongs to the recorded result, not to the current check.
  const isValidationOfRow = artifactValidation === row.artifact_validation;
  const isVerificationOfRow = restoreVerification === row.restore_verification && restoreVerification !== 'skipped';
  return {
    id: row.id,
    kind: row.kind,
    format: 'pg_custom',
    status: row.status,
    sizeBytes: row.size_bytes,
    checksumSha256: row.sha256,
    createdAt: row.created_at.toISOString(),
    completedAt: row.completed_at?.toISOString() ?? null,
    tier,
    label: trustLabel(tier, row.kind),
    localArtifactStatus: look.file,
    ...(viewer === 'admin' && copy !== undefined ? { primaryArtifactRelativePath: copy.key } : {}),
    artifactValidationStatus: artifactValidation,
    artifactValidationAt: isValidationOfRow ? (row.artifact_validated_at?.toISOString() ?? null) : null,
    artifactValidationError,
    restoreVerificationStatus: restoreVerification,
    restoreVerificationAt: isVerificationOfRow ? (row.restore_verified_at?.toISOString() ?? null) : null,
    restoreVerificationError: row.restore_verification_error,
    lastVerificationProblem: row.last_problem,
    offsiteStatus: 'not_configured',
    expiresAt: row.expires_at?.toISOString() ?? null,
    pinned: row.pinned,
    note: row.note,
    origin: row.origin,
    postgresVersion: row.postgres_version,
    failure: row.failure,
    deletedAt: row.removed_at?.toISOString() ?? null,
    deletedBy: row.removed_by,
    engine: row.engine,
    tables: row.tables_total,
    rows: row.rows_total,
    leftOut: parseStored(z.array(LeftOut), row.left_out, `What backup ${row.id} leaves out`),
  };
}

/** What reading backups needs. */
export interface ItemDeps {
  readonly catalog: Pick<Catalog, 'db'>;
  readonly store: BlobStore;
}

/** A row as it is sent, after checking its file now. */
export async function readBackupItem({ catalog, store }: ItemDeps, row: BackupRow, viewer: Viewer): Promise<BackupItem> {
  const copies = await listCopies(catalog.db, [row.id]);
  return toBackupItem(row, await checkArtifact(store, row), copyIn(store, copies, row), viewer);
}

/** Rows as they are sent. A store that is expensive to ask is not asked; then the last recorded state is used. */
export async function readBackupItems({ catalog, store }: ItemDeps, rows: readonly BackupRow[], viewer: Viewer): Promise<BackupItem[]> {
  const copies = await listCopies(
    catalog.db,
    rows.map(({ id }) => id),
  );
  return Promise.all(
    rows.map(async (row) => {
      const copy = copyIn(store, copies, row);
      const look = store.statCost === 'cheap' ? await checkArtifact(store, row) : checkCopy(row, copy);
      return toBackupItem(row, look, copy, viewer);
    }),
  );
}

function copyIn(store: BlobStore, copies: readonly CopyRow[], { id }: BackupRow): CopyRow | undefined {
  return copies.find((copy) => copy.backup_id === id && copy.store === store.name);
}
