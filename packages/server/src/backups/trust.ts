import type { Freshness } from '@flux/contract/backup';
import { type BackupKind, safeActionsLine, type TrustTier, trustLabel, verificationLine } from '@flux/contract/labels';
import type { BackupRow } from '../catalog/backups.ts';

/** Whether the artifact's file is where the catalog says, with the size that it says. A look, not a reading. */
export type ArtifactPresence = 'present' | 'missing';

/** The part of a row that trust is decided from. */
export type TrustEvidence = Pick<BackupRow, 'status' | 'artifact_validation' | 'restore_verification'>;

/**
 * What a backup allows. Pure: the same row and the same file give the same answer everywhere. A file that is missing takes
 * the green label away for as long as it is missing, and gives it back with the file: nothing about the row changes.
 */
export function trustTierOf(backup: TrustEvidence | undefined, presence: ArtifactPresence): TrustTier {
  if (backup === undefined) return 'no_backups';
  if (backup.status !== 'complete') return 'latest_not_complete';
  // A restore that failed is the stronger word, also when the file has been damaged or removed since.
  if (backup.restore_verification === 'restore_failed') return 'restore_failed';
  if (backup.artifact_validation === 'artifact_invalid' || presence === 'missing') return 'pipeline_incomplete';
  if (backup.artifact_validation === 'pending') return 'artifact_pending';
  return backup.restore_verification === 'restore_verified' ? 'restorable' : 'not_restore_verified';
}

/** The answer that a list begins with. */
export function freshnessOf(latest: BackupRow | undefined, presence: ArtifactPresence, kind: BackupKind): Freshness {
  const tier = trustTierOf(latest, presence);
  return {
    latestBackupId: latest?.id ?? null,
    latestAt: latest?.created_at.toISOString() ?? null,
    tier,
    label: trustLabel(tier, latest?.kind ?? kind),
    verification: verificationLine(tier, latest?.kind ?? kind),
    safeDestructiveActions: safeActionsLine(tier),
  };
}
