import { isFluxError } from '@flux/contract/errors';
import { type TrustTier, trustLabel } from '@flux/contract/labels';
import { type BackupRow, findBackupById, listBackupsWithArtifact, listProvenBackups } from '../catalog/backups.ts';
import type { Refusal } from './gate.ts';
import { lookAtArtifact } from './item.ts';
import { compareBytes, type ReadingDeps } from './reading.ts';
import { trustTierOf } from './trust.ts';

/** What a deletion would leave behind. */
export type DeletionExamination =
  /** `behind` is the backup whose bytes have just been read and are good; null when the row has no artifact that could be missed. */
  { readonly kind: 'cleared'; readonly behind: BackupRow | null } | { readonly kind: 'refused'; readonly refusal: Refusal };

/**
 * Finds out whether a backup can be deleted without losing the way back. What counts is bytes that are read here and now:
 *
 * - The newest proven backup is the way back. It is not deleted while its bytes are good.
 * - While its bytes are not good (missing, unreadable, damaged), no other backup is deleted either: nobody knows then what will be
 *   needed. It itself may be deleted when an older proven one stays behind whose bytes are good.
 * - Where nothing is proven, one that may still be proven and whose bytes are good must stay behind.
 *
 * A backup that never became complete has no bytes and may always be deleted.
 */
export async function examineDeletion(deps: ReadingDeps, row: BackupRow, signal: AbortSignal): Promise<DeletionExamination> {
  if (row.status !== 'complete' || row.removed_at !== null) return { kind: 'cleared', behind: null };
  const [newest, ...older] = await listProvenBackups(deps.catalog.db, row.project_id);
  if (newest === undefined) return await examineUnproven(deps, row, signal);
  const problem = await problemOf(deps, newest, signal);
  if (newest.id !== row.id) {
    if (problem === undefined) return { kind: 'cleared', behind: newest };
    return refused(newest, await tierOf(deps, newest), DAMAGED_NEWEST, problem);
  }
  if (problem === undefined) return refused(row, 'restorable', NEWEST_PROVEN);
  const behind = await findGood(deps, older, signal);
  if (behind !== undefined) return { kind: 'cleared', behind };
  return refused(row, await tierOf(deps, row), NOTHING_PROVEN_BEHIND, problem);
}

const NEWEST_PROVEN = 'This is the newest restore-verified backup: without it there is no proven way back.';
const DAMAGED_NEWEST =
  'The file of the newest restore-verified backup is missing or damaged, so no other backup is deleted: it may be the only way back.';
const NOTHING_PROVEN_BEHIND = 'No other restore-verified backup with good bytes would stay behind, so this one is kept, damaged as it is.';
const NOTHING_BEHIND = 'No other backup with good bytes would stay behind, so this one is kept: it may be the only way back.';

async function examineUnproven(deps: ReadingDeps, row: BackupRow, signal: AbortSignal): Promise<DeletionExamination> {
  const others = (await listBackupsWithArtifact(deps.catalog.db, row.project_id)).filter(
    ({ id, restore_verification, artifact_validation }) =>
      id !== row.id && restore_verification !== 'restore_failed' && artifact_validation === 'artifact_valid',
  );
  const behind = await findGood(deps, others, signal);
  if (behind !== undefined) return { kind: 'cleared', behind };
  return refused(row, await tierOf(deps, row), NOTHING_BEHIND);
}

async function findGood(deps: ReadingDeps, rows: readonly BackupRow[], signal: AbortSignal): Promise<BackupRow | undefined> {
  for (const row of rows) if ((await problemOf(deps, row, signal)) === undefined) return row;
  return undefined;
}

/** Why the bytes of a backup are not good, in a sentence; undefined when they are. They are read to their end, and the result is recorded. */
async function problemOf(deps: ReadingDeps, row: BackupRow, signal: AbortSignal): Promise<string | undefined> {
  const look = await lookAtArtifact(deps.store, row);
  if (look.problem !== null) return look.problem;
  try {
    return (await compareBytes(deps, row, 'a deletion', signal)).damage;
  } catch (error) {
    if (isFluxError(error, 'artifact_gone') || isFluxError(error, 'volume_unusable')) return error.message;
    throw error;
  }
}

/** The tier as it is after the reading. */
async function tierOf({ catalog, store }: ReadingDeps, { id }: BackupRow): Promise<TrustTier> {
  const row = await findBackupById(catalog.db, id);
  return row === undefined ? 'no_backups' : trustTierOf(row, await lookAtArtifact(store, row));
}

function refused(row: BackupRow, tier: TrustTier, guidance: string, problem?: string): DeletionExamination {
  const label = trustLabel(tier, row.kind);
  const which = `backup ${row.id} of ${row.created_at.toISOString()}`;
  return { kind: 'refused', refusal: { tier, label, guidance, detail: problem === undefined ? which : `${which}: ${label}; ${problem}` } };
}
