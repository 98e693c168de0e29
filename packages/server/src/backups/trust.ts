import type { BackupItem, Freshness } from '@flux/contract/backup';
import { type BackupKind, safeActionsLine, type TrustTier, trustLabel, verificationLine } from '@flux/contract/labels';
import type { BackupRow } from '../catalog/backups.ts';

/** The result of checking an artifact's file without reading it: whether it exists, and its size. */
export interface ArtifactCheck {
  readonly file: 'present' | 'missing';
  /** Why the file cannot be the artifact at this moment, in one sentence; null when it may be. */
  readonly problem: string | null;
}

/** A file that exists with the recorded size. */
export const NOTHING_WRONG: ArtifactCheck = { file: 'present', problem: null };

/** The part of a row that determines trust. */
export type TrustEvidence = Pick<BackupRow, 'status' | 'artifact_validation' | 'artifact_validation_error' | 'restore_verification'>;

/** The state of a backup at this moment. */
export interface BackupState {
  readonly tier: TrustTier;
  readonly artifactValidation: BackupItem['artifactValidationStatus'];
  readonly artifactValidationError: string | null;
  readonly restoreVerification: BackupItem['restoreVerificationStatus'];
}

/**
 * The state of a backup, as list, show, gate, doctor and every answer use it. A pure function.
 *
 * Two things remove the label `restorable`, and each is reverted in its own way:
 * - A file that is missing, of another size or unreadable *now* (`look`). Nothing is recorded, because a volume may only be
 *   unmounted: the label returns as soon as the file exists again with its size.
 * - Bytes that were read to their end and are not those that were written. `recordReading` puts that into the row, and only
 *   another reading to the end that finds the right bytes takes it back: by a verification, the gate, a restore, a download or a
 *   deletion.
 *
 * A failed restore takes precedence, even when the file has been damaged or removed since; only a successful verification reverts it.
 */
export function stateOf(backup: TrustEvidence, look: ArtifactCheck): BackupState {
  const { artifact_validation, artifact_validation_error, restore_verification } = backup;
  const isWrongNow = backup.status === 'complete' && look.problem !== null;
  const artifactValidation = isWrongNow ? 'artifact_invalid' : artifact_validation;
  const isSkipped = artifactValidation === 'artifact_invalid' && restore_verification !== 'restore_failed';
  const state = {
    artifactValidation,
    artifactValidationError: isWrongNow ? look.problem : artifact_validation_error,
    restoreVerification: isSkipped ? 'skipped' : restore_verification,
  } as const;
  return { ...state, tier: tierOf(backup.status, state) };
}

function tierOf(status: BackupRow['status'], state: Omit<BackupState, 'tier'>): TrustTier {
  if (status !== 'complete') return 'latest_not_complete';
  if (state.restoreVerification === 'restore_failed') return 'restore_failed';
  if (state.artifactValidation === 'artifact_invalid') return 'pipeline_incomplete';
  if (state.artifactValidation === 'pending') return 'artifact_pending';
  return state.restoreVerification === 'restore_verified' ? 'restorable' : 'not_restore_verified';
}

/** What a backup, or its absence, allows. */
export function trustTierOf(backup: TrustEvidence | undefined, look: ArtifactCheck): TrustTier {
  return backup === undefined ? 'no_backups' : stateOf(backup, look).tier;
}

/**
 * Whether the bytes that were written have been restored and compared, whatever has happened to the file since. A failed verification
 * reverts this.
 */
export function isProven(backup: Pick<BackupRow, 'sha256' | 'verified_sha256'>): boolean {
  return backup.sha256 !== null && backup.verified_sha256 === backup.sha256;
}

/** The summary at the top of a list. */
export function freshnessOf(latest: BackupRow | undefined, look: ArtifactCheck, kind: BackupKind): Freshness {
  const tier = trustTierOf(latest, look);
  return {
    latestBackupId: latest?.id ?? null,
    latestAt: latest?.created_at.toISOString() ?? null,
    tier,
    label: trustLabel(tier, latest?.kind ?? kind),
    verification: verificationLine(tier, latest?.kind ?? kind),
    safeDestructiveActions: safeActionsLine(tier),
  };
}
