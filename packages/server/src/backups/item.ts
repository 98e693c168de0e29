import type { BackupItem } from '@flux/contract/backup';
import { isFluxError } from '@flux/contract/errors';
import { trustLabel } from '@flux/contract/labels';
import type { ArtifactStore } from '../artifacts/store.ts';
import type { BackupRow } from '../catalog/backups.ts';
import { type ArtifactLook, NOTHING_WRONG, stateOf } from './trust.ts';

/** How much of a backup somebody may see: paths of the server are for admins. */
export type Viewer = 'admin' | 'other';

/**
 * Looks whether the artifact of a row is there with the size that was recorded. Checks existence and size only; does not read the
 * file. A volume that cannot be looked at is an answer too: nothing on it can be relied on at this moment.
 */
export async function lookAtArtifact(store: ArtifactStore, row: BackupRow): Promise<ArtifactLook> {
  if (row.status !== 'complete') return { file: 'missing', problem: 'It has no artifact.' };
  if (row.removed_at !== null)
    return { file: 'missing', problem: `The file was removed by ${row.removed_by} at ${row.removed_at.toISOString()}.` };
  try {
    const found = await store.stat({ projectId: row.project_id, backupId: row.id });
    if (found === undefined)
      return {
        file: 'missing',
        problem: 'The file is not on the backup volume. Was the volume unmounted? It is good again when it is back.',
      };
    if (found.sizeBytes === row.size_bytes) return NOTHING_WRONG;
    return { file: 'present', problem: `The file has ${found.sizeBytes} bytes; ${row.size_bytes} were written.` };
  } catch (error) {
    if (!isFluxError(error, 'volume_unusable')) throw error;
    return { file: 'missing', problem: error.message };
  }
}

/** A row as the wire shows it. */
function toBackupItem(row: BackupRow, look: ArtifactLook, viewer: Viewer): BackupItem {
  const { tier, artifactValidation, artifactValidationError, restoreVerification } = stateOf(row, look);
  // A time belongs to what was recorded then, not to what is seen now.
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
    ...(viewer === 'admin' && row.relative_path !== null ? { primaryArtifactRelativePath: row.relative_path } : {}),
    artifactValidationStatus: artifactValidation,
    artifactValidationAt: isValidationOfRow ? (row.artifact_validated_at?.toISOString() ?? null) : null,
    artifactValidationError,
    restoreVerificationStatus: restoreVerification,
    restoreVerificationAt: isVerificationOfRow ? (row.restore_verified_at?.toISOString() ?? null) : null,
    restoreVerificationError: row.restore_verification_error,
    lastVerificationProblem: row.last_problem,
    offsiteStatus: 'not_configured',
    offsiteR2Status: 'disabled',
    expiresAt: row.expires_at?.toISOString() ?? null,
    pinned: row.pinned,
    note: row.note,
    postgresVersion: row.postgres_version,
    failure: row.failure,
    engine: row.engine,
    tables: row.tables_total,
    rows: row.rows_total,
  };
}

/** A row as the wire shows it, with a fresh look at its file. */
export async function readBackupItem(store: ArtifactStore, row: BackupRow, viewer: Viewer): Promise<BackupItem> {
  return toBackupItem(row, await lookAtArtifact(store, row), viewer);
}
