import { FluxError } from '@flux/contract/errors';
import type { BackupId } from '@flux/contract/ids';
import { backupKindOf, type TrustTier, trustLabel } from '@flux/contract/labels';
import { COMMAND_THAT_HELPS, refusalText } from '@flux/contract/refusal';
import * as z from 'zod';
import { type Actor, recordAudit } from '../catalog/audit.ts';
import { type BackupRow, belongsToFailedOperation, findBackupById, findLatestBackup } from '../catalog/backups.ts';
import type { DatabaseTransaction } from '../catalog/open.ts';
import { awaitOtherDeletions, type ProjectRow } from '../catalog/projects.ts';
import { lookAtArtifact } from './item.ts';
import { compareBytes, type ReadingDeps } from './reading.ts';
import { isProven, NOTHING_WRONG, stateOf, trustTierOf } from './trust.ts';
import { examineDeletion } from './way-back.ts';

/** What somebody wants to do that cannot be undone. */
export type DestructiveAction = 'nuke' | 'reset' | 'restore_in_place' | 'migrate_drop_source' | 'delete_last_verified';

/** Leave to go on without proof: who asked is in the actor, why is here. */
export interface Override {
  readonly reason: string;
}

declare const made: unique symbol;

/**
 * Leave to destroy. Only this file makes one, so no destructive function can be called by code that has not asked. It is for
 * one project and one action, and holds only as long as `redeemClearance` still finds the same newest backup.
 */
export interface Clearance {
  readonly [made]: true;
  readonly projectId: ProjectRow['id'];
  readonly action: DestructiveAction;
  /** The backup that it rests on: the proven newest one, or the one that stays behind a deletion. Null when there is none. */
  readonly backupId: BackupId | null;
  /** What a deletion is about, as it was when it was looked at. */
  readonly deletes: Pick<BackupRow, 'id' | 'restore_verification'> | null;
  readonly override: Override | null;
}

/** Why the gate stays shut. */
export interface Refusal {
  readonly tier: TrustTier;
  readonly label: string;
  /** What is wrong, in a sentence. */
  readonly guidance: string;
  /** Which backup was looked at, and what was seen. */
  readonly detail: string;
}

/** The gate's answer; a refusal is an answer, not an error. */
export type GateDecision =
  | { readonly kind: 'cleared'; readonly clearance: Clearance }
  | { readonly kind: 'refused'; readonly refusal: Refusal };

/** What was found when the newest backup was looked at. */
export type Examination =
  | { readonly kind: 'restorable'; readonly latest: BackupRow }
  | { readonly kind: 'refused'; readonly latest: BackupRow | undefined; readonly refusal: Refusal };

/**
 * Looks at the newest backup, which alone counts: it must be of this project's engine, proven by a restore, and its file must
 * be there and still be the file that was proven, which is found out by reading it. What the reading shows is recorded. A file that
 * was found damaged before is read again: its bytes may have been put back.
 */
async function examineLatest(deps: ReadingDeps, project: ProjectRow, signal: AbortSignal): Promise<Examination> {
  const known = await examineRecorded(deps, project);
  if (known.kind === 'refused') return known;
  const { latest } = known;
  const bytes = await compareBytes(deps, latest, 'the gate', signal);
  if (bytes.damage === undefined) return { kind: 'restorable', latest };
  return { kind: 'refused', latest, refusal: refusalOf(project, 'pipeline_incomplete', latest, bytes.damage) };
}

/** The same as far as it is known without reading the file: what its row says, and whether it exists with its size. */
export async function examineRecorded(deps: Pick<ReadingDeps, 'catalog' | 'store'>, project: ProjectRow): Promise<Examination> {
  const latest = await findLatestBackup(deps.catalog.db, project.id);
  const refuse = (reason: TrustTier, because?: string): Examination => ({
    kind: 'refused',
    latest,
    refusal: refusalOf(project, reason, latest, because),
  });
  if (latest === undefined) return refuse('no_backups');
  const look = await lookAtArtifact(deps.store, latest);
  const { tier, artifactValidation, artifactValidationError } = stateOf(latest, look);
  const mayBeGoodAgain = look.problem === null && artifactValidation === 'artifact_invalid' && isProven(latest);
  if (tier !== 'restorable' && !mayBeGoodAgain)
    return refuse(tier, tier === 'pipeline_incomplete' ? (artifactValidationError ?? undefined) : undefined);
  if (latest.engine !== project.engine)
    return refuse(tier === 'restorable' ? 'not_restore_verified' : tier, `it was made when the project was ${latest.engine}`);
  return { kind: 'restorable', latest };
}

/**
 * Refuses at once what the gate would refuse without reading anything. Grants nothing: the work asks again, and reads, before it
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
  if (known.kind === 'restorable') return;
  if (PROVES_FIRST.has(action) && (await latestIsUnfinishedWork(deps, project))) return;
  throw refusalError(known.refusal);
}

/** What takes a backup of its own, proves it, and asks the gate again before it destroys. */
export const PROVES_FIRST: ReadonlySet<string> = new Set(['restore_in_place', 'migrate_drop_source']);

/** Decides whether something of a project may be destroyed: when its newest backup is good, or somebody answers for going on. */
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
 * Decides whether a backup may be deleted: when one with good bytes stays behind, or somebody answers for it.
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

/** The same as `consultGate`, for those who cannot go on without it. @throws FluxError `gate_refused` */
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
 * Asks the gate for work that makes and proves a backup itself and asks again before it destroys. An unproven backup that such work
 * had begun, and left because it was interrupted, says nothing against running it again: it was let through before it began it.
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

/** Tells whether the newest backup is one that work of ours had begun for itself and could not finish. */
export async function latestIsUnfinishedWork({ catalog }: Pick<ReadingDeps, 'catalog'>, project: ProjectRow): Promise<boolean> {
  const latest = await findLatestBackup(catalog.db, project.id);
  return latest !== undefined && (await belongsToFailedOperation(catalog.db, latest, ['backup_restore', 'migrate']));
}

/**
 * Takes up a clearance inside the transaction that begins to destroy: the newest backup must still be the one that it rests
 * on, and an override is written down with the deed.
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
 * The same for the deletion of a backup. Deletions of one project wait for each other here, or two of them could each rest on the
 * backup that the other one takes.
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
  const isStillBehind = clearance.backupId === null || (behind !== undefined && isStillGood(behind));
  if (!isSame || !isStillBehind) throw refusalError(refusalOf(project, trustTierOf(now, NOTHING_WRONG), now, CHANGED));
}

const CHANGED = 'it changed while the command ran';

function isStillGood({ removed_at, artifact_validation, restore_verification }: BackupRow): boolean {
  return removed_at === null && artifact_validation === 'artifact_valid' && restore_verification !== 'restore_failed';
}

/** What a request says of going on without proof; null when it does not. @throws FluxError `invalid_request` for an empty reason */
export function overrideOf({ skipBackupCheck, reason }: OverrideRequest): Override | null {
  if (skipBackupCheck !== true && skipBackupCheck !== 'true' && skipBackupCheck !== '1') return null;
  if (reason !== undefined && reason.trim() === '') throw new FluxError('invalid_request', 'The reason for the override is empty.');
  return { reason: reason ?? 'none was given' };
}

/** An override as bodies and queries carry it. */
export interface OverrideRequest {
  readonly skipBackupCheck?: boolean | string | undefined;
  readonly reason?: string | undefined;
}

/** An override as the request of an operation carries it. */
export const OverrideSchema = z.strictObject({ reason: z.string() }).nullable();

/** Writes an override down, if the clearance is one; and refuses one that is shown for something else. */
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

/** The refusal as the error that crosses the wire: 412, exit 6, with the command that helps. */
function refusalError(refusal: Refusal): FluxError {
  const { tier, label } = refusal;
  return new FluxError('gate_refused', refusalText(refusal), { details: { tier, label, command: COMMAND_THAT_HELPS } });
}

const GUIDANCE: Record<TrustTier, string> = {
  restorable: 'The latest backup cannot be relied on any more.',
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
