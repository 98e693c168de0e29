import { type TrustTier, trustLabel } from '@flux/contract/labels';
import { type BackupRow, findBackupById, listBackupsWithArtifact, listProvenBackups } from '../catalog/backups.ts';
import type { Refusal } from './gate.ts';
import { checkArtifact } from './item.ts';
import { findProblem, type ReadingDeps } from './reading.ts';
import { trustTierOf } from './trust.ts';

/** Whether a backup can be deleted, and which backup is kept then. */
export type DeletionExamination =
  /**
   * `behind` is the backup that is kept, whose file has just been read and is intact; null when nothing has to be kept: the row has no
   * artifact that could be lost, or was imported.
   */
  { readonly kind: 'cleared'; readonly behind: BackupRow | null } | { readonly kind: 'refused'; readonly refusal: Refusal };

/**
 * Whether a backup can be deleted without losing the ability to restore. What counts is files that are read now:
 *
 * - The newest restore-verified backup is not deleted while its file is intact.
 * - While its file is not intact (missing, unreadable, damaged), no other backup is deleted either, because any of them may be needed.
 *   It may itself be deleted when an older restore-verified backup with an intact file is kept.
 * - When no backup is restore-verified, another one with an intact file that may still be verified must be kept.
 *
 * A backup that never became complete has no file and may always be deleted. So may an imported one: it is no way back for the data of
 * the project.
 */
export async function examineDeletion(deps: ReadingDeps, row: BackupRow, signal: AbortSignal): Promise<DeletionExamination> {
  if (row.status !== 'complete' || row.removed_at !== null || row.origin === 'imported') return { kind: 'cleared', behind: null };
  const [newest, ...older] = await listProvenBackups(deps.catalog.db, row.project_id);
  if (newest === undefined) return await examineUnproven(deps, row, signal);
  const problem = await findProblem(deps, newest, 'a deletion', signal);
  if (newest.id !== row.id) {
    if (problem === undefined) return { kind: 'cleared', behind: newest };
    return refused(newest, await tierOf(deps, newest), DAMAGED_NEWEST, problem);
  }
  if (problem === undefined) return refused(row, 'restorable', NEWEST_PROVEN);
  const behind = await findGood(deps, older, signal);
  if (behind !== undefined) return { kind: 'cleared', behind };
  return refused(row, await tierOf(deps, row), NO_VERIFIED_LEFT, problem);
}

const NEWEST_PROVEN = 'This is the newest restore-verified backup: without it, nothing is known to be restorable.';
const DAMAGED_NEWEST =
  'The file of the newest restore-verified backup is missing or damaged, so no other backup is deleted: it may be the only one that can be restored.';
const NO_VERIFIED_LEFT = 'No other restore-verified backup with an intact file would be left, so this one is kept although it is damaged.';
const NONE_LEFT = 'No other backup with an intact file would be left, so this one is kept: it may be the only one that can be restored.';

async function examineUnproven(deps: ReadingDeps, row: BackupRow, signal: AbortSignal): Promise<DeletionExamination> {
  const others = (await listBackupsWithArtifact(deps.catalog.db, row.project_id)).filter(
    ({ id, restore_verification, artifact_validation }) =>
      id !== row.id && restore_verification !== 'restore_failed' && artifact_validation === 'artifact_valid',
  );
  const behind = await findGood(deps, others, signal);
  if (behind !== undefined) return { kind: 'cleared', behind };
  return refused(row, await tierOf(deps, row), NONE_LEFT);
}

async function findGood(deps: ReadingDeps, rows: readonly BackupRow[], signal: AbortSignal): Promise<BackupRow | undefined> {
  for (const row of rows) if ((await findProblem(deps, row, 'a deletion', signal)) === undefined) return row;
  return undefined;
}

/** The tier after the reading. */
async function tierOf({ catalog, store }: ReadingDeps, { id }: BackupRow): Promise<TrustTier> {
  const row = await findBackupById(catalog.db, id);
  return row === undefined ? 'no_backups' : trustTierOf(row, await checkArtifact(store, row));
}

function refused(row: BackupRow, tier: TrustTier, guidance: string, problem?: string): DeletionExamination {
  const label = trustLabel(tier, row.kind);
  const which = `backup ${row.id} of ${row.created_at.toISOString()}`;
  return { kind: 'refused', refusal: { tier, label, guidance, detail: problem === undefined ? which : `${which}: ${label}; ${problem}` } };
}
