import type { BackupItem } from '@flux/contract/backup';
import { trustLabel } from '@flux/contract/labels';
import type { ArtifactStore } from '../artifacts/store.ts';
import type { BackupRow } from '../catalog/backups.ts';
import { type ArtifactPresence, trustTierOf } from './trust.ts';

/** How much of a backup somebody may see: paths of the server are for admins. */
export type Viewer = 'admin' | 'other';

/** Looks whether the artifact of a row is there with the size that was recorded. Reads no content. */
export async function presenceOf(store: ArtifactStore, row: BackupRow): Promise<ArtifactPresence> {
  if (row.status !== 'complete' || row.removed_at !== null) return 'missing';
  const found = await store.stat({ projectId: row.project_id, backupId: row.id });
  return found !== undefined && found.sizeBytes === row.size_bytes ? 'present' : 'missing';
}

/** A row as the wire shows it. */
export function toBackupItem(row: BackupRow, presence: ArtifactPresence, viewer: Viewer): BackupItem {
  const tier = trustTierOf(row, presence);
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
    localArtifactStatus: presence,
    primaryArtifactRelativePath: viewer === 'admin' ? row.relative_path : null,
    artifactValidationStatus: row.artifact_validation,
    artifactValidationAt: row.artifact_validated_at?.toISOString() ?? null,
    artifactValidationError: row.artifact_validation_error,
    restoreVerificationStatus: row.restore_verification,
    restoreVerificationAt: row.restore_verified_at?.toISOString() ?? null,
    restoreVerificationError: row.restore_verification_error,
    lastVerificationProblem: row.last_problem,
    offsiteStatus: 'not_configured',
    offsiteR2Status: 'not_configured',
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
  return toBackupItem(row, await presenceOf(store, row), viewer);
}
