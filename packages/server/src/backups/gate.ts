import { FluxError } from '@flux/contract/errors';
import type { BackupId } from '@flux/contract/ids';
import { backupKindOf, type TrustTier, trustLabel } from '@flux/contract/labels';
import { COMMAND_THAT_HELPS, refusalText } from '@flux/contract/refusal';
import type { ArtifactStore } from '../artifacts/store.ts';
import { type Actor, recordAudit } from '../catalog/audit.ts';
import { type BackupRow, findLatestBackup } from '../catalog/backups.ts';
import type { Catalog, DatabaseTransaction } from '../catalog/open.ts';
import { wasInVain } from '../catalog/operations.ts';
import type { ProjectRow } from '../catalog/projects.ts';
import { presenceOf } from './item.ts';
import { trustTierOf } from './trust.ts';
import { compareBytes } from './validate.ts';

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
  /** The proven backup that it rests on; null when there is only an override. */
  readonly backupId: BackupId | null;
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

export interface GateDoors {
  readonly catalog: Catalog;
  readonly store: ArtifactStore;
}

/** What was found when the newest backup was looked at. */
export type Examination =
  | { readonly kind: 'restorable'; readonly latest: BackupRow }
  | { readonly kind: 'refused'; readonly latest: BackupRow | undefined; readonly refusal: Refusal };

/**
 * Looks at the newest backup, which alone counts: it must be of this project's engine, proven by a restore, and its file must
 * be there and still be the file that was proven, which is found out by reading it.
 */
export async function examineLatest({ catalog, store }: GateDoors, project: ProjectRow, signal: AbortSignal): Promise<Examination> {
  const latest = await findLatestBackup(catalog.db, project.id);
  const refuse = (reason: TrustTier, because?: string): Examination => ({
    kind: 'refused',
    latest,
    refusal: refusalOf(project, reason, latest, because),
  });
  const presence = latest === undefined ? 'missing' : await presenceOf(store, latest);
  const tier = trustTierOf(latest, presence);
  if (latest === undefined || tier !== 'restorable') return refuse(tier);
  if (latest.engine !== project.engine) return refuse('not_restore_verified', `it was made when the project was ${latest.engine}`);
  const bytes = await compareBytes(store, latest, signal);
  if (bytes.damage !== undefined) return refuse('pipeline_incomplete', bytes.damage);
  return { kind: 'restorable', latest };
}

/** Decides whether something of a project may be destroyed: when its newest backup is good, or somebody answers for going on. */
export async function consultGate(
  doors: GateDoors,
  project: ProjectRow,
  action: DestructiveAction,
  override: Override | null,
  signal: AbortSignal,
): Promise<GateDecision> {
  const clear = (backupId: BackupId | null): GateDecision => ({
    kind: 'cleared',
    clearance: { projectId: project.id, action, backupId, override } as Clearance,
  });
  if (override !== null) return clear(null);
  const found = await examineLatest(doors, project, signal);
  return found.kind === 'restorable' ? clear(found.latest.id) : { kind: 'refused', refusal: found.refusal };
}

/** The same, for those who cannot go on without it. @throws FluxError `gate_refused` */
export async function requireGate(...asked: Parameters<typeof consultGate>): Promise<Clearance> {
  const decision = await consultGate(...asked);
  if (decision.kind === 'refused') throw refusalError(decision.refusal);
  return decision.clearance;
}

/**
 * Asks the gate for work that makes and proves a backup itself and asks again before it destroys. One that such work had begun
 * and left unproven, because it was cut short, says nothing against running it again: it was let through before it began it.
 *
 * @throws FluxError `gate_refused`
 */
export async function requireGateAhead(...asked: Parameters<typeof consultGate>): Promise<void> {
  const decision = await consultGate(...asked);
  if (decision.kind === 'cleared') return;
  const [doors, project] = asked;
  if (!(await isCutShort(doors, project))) throw refusalError(decision.refusal);
}

/** Tells whether the newest backup is one that work of ours had begun for itself and could not finish. */
export async function isCutShort({ catalog }: GateDoors, project: ProjectRow): Promise<boolean> {
  const latest = await findLatestBackup(catalog.db, project.id);
  return latest !== undefined && (await wasInVain(catalog.db, project.id, ['backup_restore', 'migrate'], latest.created_at));
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
  if (clearance.projectId !== project.id || clearance.action !== action)
    throw new Error('a clearance was shown for something else than it was made for');
  if (clearance.override !== null) {
    await recordAudit(db, actor, {
      action: 'gate.override',
      projectId: project.id,
      details: { for: action, reason: clearance.override.reason },
    });
    return;
  }
  const latest = await findLatestBackup(db, project.id);
  const still = latest?.id === clearance.backupId && trustTierOf(latest, 'present') === 'restorable' && latest?.engine === project.engine;
  if (!still) throw refusalError(refusalOf(project, trustTierOf(latest, 'present'), latest, 'it changed while the command ran'));
}

/** The refusal as the error that crosses the wire: 412, exit 6, with the command that helps. */
export function refusalError(refusal: Refusal): FluxError {
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
