import { FluxError } from '@flux/contract/errors';
import type { BackupId } from '@flux/contract/ids';
import { backupKindOf, type TrustTier, trustLabel } from '@flux/contract/labels';
import { REFUSAL_COMMAND, refusalText } from '@flux/contract/refusal';
import { type Actor, recordAudit } from '../catalog/audit.ts';
import { type BackupRow, belongsToFailedOperation, findBackupById, findLatestBackup } from '../catalog/backups.ts';
import type { DatabaseTransaction } from '../catalog/open.ts';
import { awaitOtherDeletions, type ProjectRow } from '../catalog/projects.ts';
import { examineDeletion } from './deletion-check.ts';
import { checkArtifact } from './item.ts';
import type { Override } from './override.ts';
import { findProblem, lookAtArtifact, type ReadingDeps } from './reading.ts';
import { isProven, NOTHING_WRONG, stateOf, trustTierOf } from './trust.ts';

/** An action that destroys data. */
export type DestructiveAction = 'push' | 'nuke' | 'reset' | 'restore_in_place' | 'migrate_drop_source' | 'delete_last_verified';

declare const made: unique symbol;

/**
 * Permission to destroy. Only this file creates one, so no destructive function can be called without asking the gate. It is for one
 * project and one action, and is valid only while `redeemClearance` still finds the same newest backup.
 */
export interface Clearance {
  readonly [made]: true;
  readonly projectId: ProjectRow['id'];
  readonly action: DestructiveAction;
  /** The backup that it relies on: the restore-verified newest one, or the one that a deletion keeps. Null when there is none. */
  readonly backupId: BackupId | null;
  /** The backup to delete, as it was when it was examined. */
  readonly deletes: Pick<BackupRow, 'id' | 'restore_verification'> | null;
  readonly override: Override | null;
}

/** Why the gate refuses. */
export interface Refusal {
  readonly tier: TrustTier;
  readonly label: string;
  /** The reason, in one sentence. */
  readonly guidance: string;
  /** Which backup was examined, and the result. */
  readonly detail: string;
}

/** The gate's answer; a refusal is an answer, not an error. */
export type GateDecision =
  | { readonly kind: 'cleared'; readonly clearance: Clearance }
  | { readonly kind: 'refused'; readonly refusal: Refusal };

/** The result of examining the newest backup. */
export type Examination =
  | { readonly kind: 'restorable'; readonly latest: BackupRow }
  | {
      readonly kind: 'refused';
      readonly latest: BackupRow | undefined;
      readonly refusal: Refusal;
      /** Its file was found damaged, and may have been replaced by an intact copy since: only another reading can tell. */
      readonly mayBeIntactAgain: boolean;
    };

/**
 * Examines the newest backup, the only one that counts: it must be of the project's current engine and restore-verified, and its file
 * must exist and still be the one that was verified, which is checked by reading it. The result of the reading is recorded. A file that
 * was found damaged before is read again: it may have been replaced by an intact copy.
 */
async function examineLatest(deps: ReadingDeps, project: ProjectRow, signal: AbortSignal): Promise<Examination> {
  const known = await examineRecorded(deps, project);
  const { latest } = known;
  if (latest === undefined || (known.kind === 'refused' && !known.mayBeIntactAgain)) {
    if (latest !== undefined) await lookAtArtifact(deps, latest);
    return known;
  }
  const problem = await findProblem(deps, latest, 'the gate', signal);
  if (problem === undefined) return { kind: 'restorable', latest };
  return { kind: 'refused', latest, refusal: refusalOf(project, 'pipeline_incomplete', latest, problem), mayBeIntactAgain: false };
}

/** The same, without reading the file: what its row says, and whether the file exists with its size. */
export async function examineRecorded(deps: Pick<ReadingDeps, 'catalog' | 'store'>, project: ProjectRow): Promise<Examination> {
  const latest = await findLatestBackup(deps.catalog.db, project.id);
  const refuse = (reason: TrustTier, because?: string, mayBeIntactAgain = false): Examination => ({
    kind: 'refused',
    latest,
    refusal: refusalOf(project, reason, latest, because),
    mayBeIntactAgain,
  });
  if (latest === undefined) return refuse('no_backups');
  const look = await checkArtifact(deps.store, latest);
  const { tier, artifactValidation, artifactValidationError } = stateOf(latest, look);
  const isOfOtherEngine = latest.engine !== project.engine;
  if (tier !== 'restorable') {
    const mayBeIntactAgain = look.problem === null && artifactValidation === 'artifact_invalid' && isProven(latest) && !isOfOtherEngine;
    return refuse(tier, tier === 'pipeline_incomplete' ? (artifactValidationError ?? undefined) : undefined, mayBeIntactAgain);
  }
  if (isOfOtherEngine) return refuse('not_restore_verified', `it was created when the project was ${latest.engine}`);
  return { kind: 'restorable', latest };
}

/**
 * Refuses at once what the gate would refuse without reading a file. Grants nothing: the operation asks again, with reading, before it
 * destroys.
 *
 * @throws FluxError `gate_refused`
 */
export async function refuseShutGate(
  deps: Pick<ReadingDeps, 'catalog' | 'store'>,
  project: ProjectRow,
  action: DestructiveAction,
  override: Override | null,
): Promise<void> {
  if (override !== null) return;
  const known = await examineRecorded(deps, project);
  if (known.kind === 'restorable' || known.mayBeIntactAgain) return;
  if (PROVES_FIRST.has(action) && (await latestIsUnfinishedWork(deps, project))) return;
  throw refusalError(known.refusal);
}

/** Actions that create and verify their own backup, and ask the gate again before they destroy. */
export const PROVES_FIRST: ReadonlySet<string> = new Set(['restore_in_place', 'migrate_drop_source']);

/** Decides whether data of a project may be destroyed: when its newest backup is good, or with an override. */
export async function consultGate(
  deps: ReadingDeps,
  project: ProjectRow,
  action: DestructiveAction,
  override: Override | null,
  signal: AbortSignal,
): Promise<GateDecision> {
  const clear = (backupId: BackupId | null): GateDecision => ({
    kind: 'cleared',
    clearance: { projectId: project.id, action, backupId, deletes: null, override } as Clearance,
  });
  if (override !== null) return clear(null);
  const found = await examineLatest(deps, project, signal);
  return found.kind === 'restorable' ? clear(found.latest.id) : { kind: 'refused', refusal: found.refusal };
}

/**
 * Decides whether a backup may be deleted: when another one with an intact file is kept, or with an override.
 *
 * @throws FluxError `gate_refused`
 */
export async function requireDeletion(
  deps: ReadingDeps,
  project: ProjectRow,
  row: BackupRow,
  override: Override | null,
  signal: AbortSignal,
): Promise<Clearance> {
  const found = override === null ? await examineDeletion(deps, row, signal) : null;
  if (found?.kind === 'refused') throw refusalError(found.refusal);
  const now = (await findBackupById(deps.catalog.db, row.id)) ?? row;
  const { id, restore_verification } = now;
  const about = { projectId: project.id, action: 'delete_last_verified', deletes: { id, restore_verification } };
  return { ...about, backupId: found?.behind?.id ?? null, override } as Clearance;
}

/** The same as `consultGate`, but throws on a refusal. @throws FluxError `gate_refused` */
export async function requireGate(
  deps: ReadingDeps,
  project: ProjectRow,
  action: DestructiveAction,
  override: Override | null,
  signal: AbortSignal,
): Promise<Clearance> {
  const decision = await consultGate(deps, project, action, override, signal);
  if (decision.kind === 'refused') throw refusalError(decision.refusal);
  return decision.clearance;
}

/**
 * Asks the gate for an operation that creates and verifies its own backup and asks again before it destroys. An unverified backup that an
 * interrupted operation of this kind left behind does not block a retry: the gate allowed that operation before it created the backup.
 *
 * @throws FluxError `gate_refused`
 */
export async function precheckGate(
  deps: ReadingDeps,
  project: ProjectRow,
  action: DestructiveAction,
  override: Override | null,
  signal: AbortSignal,
): Promise<void> {
  const decision = await consultGate(deps, project, action, override, signal);
  if (decision.kind === 'cleared' || (await latestIsUnfinishedWork(deps, project))) return;
  throw refusalError(decision.refusal);
}

/** Whether the newest backup was created by such an operation for itself and not finished. */
export async function latestIsUnfinishedWork({ catalog }: Pick<ReadingDeps, 'catalog'>, project: ProjectRow): Promise<boolean> {
  const latest = await findLatestBackup(catalog.db, project.id);
  return latest !== undefined && (await belongsToFailedOperation(catalog.db, latest, ['backup_restore', 'migrate']));
}

/**
 * Redeems a clearance inside the transaction that starts to destroy: the newest backup must still be the one that it relies on, and an
 * override is audited in the same transaction.
 *
 * @throws FluxError `gate_refused` when something has changed since
 */
export async function redeemClearance(
  db: DatabaseTransaction,
  clearance: Clearance,
  project: ProjectRow,
  action: DestructiveAction,
  actor: Actor,
): Promise<void> {
  if (await redeemOverride(db, clearance, project, action, actor)) return;
  const latest = await findLatestBackup(db, project.id);
  const tier = trustTierOf(latest, NOTHING_WRONG);
  const still = latest?.id === clearance.backupId && tier === 'restorable' && latest?.engine === project.engine;
  if (!still) throw refusalError(refusalOf(project, tier, latest, CHANGED));
}

/**
 * The same for the deletion of a backup. Deletions of one project wait for each other here; otherwise two of them could each rely on the
 * backup that the other one deletes.
 *
 * @throws FluxError `gate_refused` when something has changed since
 */
export async function redeemDeletion(
  db: DatabaseTransaction,
  clearance: Clearance,
  project: ProjectRow,
  row: BackupRow,
  actor: Actor,
): Promise<void> {
  if (clearance.deletes?.id !== row.id) throw wrongClearance();
  await awaitOtherDeletions(db, project.id);
  if (await redeemOverride(db, clearance, project, 'delete_last_verified', actor)) return;
  const now = await findBackupById(db, row.id);
  const behind = clearance.backupId === null ? undefined : await findBackupById(db, clearance.backupId);
  const isSame = now?.restore_verification === clearance.deletes.restore_verification;
  const isStillKept = clearance.backupId === null || (behind !== undefined && isStillGood(behind));
  if (!isSame || !isStillKept) throw refusalError(refusalOf(project, trustTierOf(now, NOTHING_WRONG), now, CHANGED));
}

const CHANGED = 'it changed while the command ran';

function isStillGood({ removed_at, artifact_validation, restore_verification }: BackupRow): boolean {
  return removed_at === null && artifact_validation === 'artifact_valid' && restore_verification !== 'restore_failed';
}

/** Audits the override of a clearance, if it has one. Refuses a clearance for another project or action. */
async function redeemOverride(
  db: DatabaseTransaction,
  { projectId, action: clearedAction, override }: Clearance,
  project: ProjectRow,
  action: DestructiveAction,
  actor: Actor,
): Promise<boolean> {
  if (projectId !== project.id || clearedAction !== action) throw wrongClearance();
  if (override === null) return false;
  await recordAudit(db, actor, { action: 'gate.override', projectId: project.id, details: { for: action, reason: override.reason } });
  return true;
}

function wrongClearance(): Error {
  return new Error('the clearance does not match this project and action');
}

/** The refusal as an error: 412, exit code 6, with the command that helps. */
function refusalError(refusal: Refusal): FluxError {
  const { tier, label } = refusal;
  return new FluxError('gate_refused', refusalText(refusal), { details: { tier, label, command: REFUSAL_COMMAND } });
}

const GUIDANCE: Record<TrustTier, string> = {
  restorable: 'The latest backup can no longer be relied on.',
  not_restore_verified: 'The latest backup has not been restore-verified.',
  restore_failed: 'The latest backup failed its restore verification.',
  artifact_pending: 'The latest backup is still being validated.',
  pipeline_incomplete: 'The file of the latest backup is missing or damaged.',
  latest_not_complete: 'The latest backup is not complete.',
  no_backups: 'There is no backup.',
};

function refusalOf(project: ProjectRow, tier: TrustTier, latest: BackupRow | undefined, because?: string): Refusal {
  const label = trustLabel(tier, latest?.kind ?? backupKindOf(project.engine));
  const which = latest === undefined ? `${project.slug} has none` : `backup ${latest.id} of ${latest.created_at.toISOString()}: ${label}`;
  return { tier, label, guidance: GUIDANCE[tier], detail: because === undefined ? which : `${which}; ${because}` };
}
