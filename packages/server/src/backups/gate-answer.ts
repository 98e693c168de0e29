import { FluxError } from '@flux/contract/errors';
import type { GateAction, GateAnswer } from '@flux/contract/gate';
import { type TrustTier, trustLabel } from '@flux/contract/labels';
import { COMMAND_THAT_HELPS } from '@flux/contract/refusal';
import { type BackupRow, findLatestBackup, findNewestVerifiedBackup } from '../catalog/backups.ts';
import type { ProjectRow } from '../catalog/projects.ts';
import { readChangesSince } from './changes.ts';
import type { BackupDoors } from './doors.ts';
import { examineLatest, type GateDoors, isCutShort } from './gate.ts';
import { presenceOf } from './item.ts';
import { isLastWayBack, lastWayBackRefusal } from './keep.ts';
import { parseBackupSelector, selectBackup } from './select.ts';
import { trustTierOf } from './trust.ts';

/** What somebody has in mind. */
export interface GateQuestion {
  readonly action: GateAction;
  /** Which backup is to be deleted: an id, or `latest`. */
  readonly backup?: string | undefined;
}

type Verdict = Pick<GateAnswer, 'decision' | 'tier' | 'label' | 'guidance' | 'detail'>;

/** Tells what the gate would decide now, how old the proof is and what has changed since. It is for whoever decides: no clearance comes of it. */
export async function answerGate(
  doors: Pick<BackupDoors, 'catalog' | 'store' | 'engines' | 'clock'>,
  project: ProjectRow,
  { action, backup }: GateQuestion,
  signal: AbortSignal,
): Promise<GateAnswer> {
  const latest = await findLatestBackup(doors.catalog.db, project.id);
  const verdict = await verdictOn(doors, project, action, backup, signal);
  const command = verdict.decision === 'refused' ? COMMAND_THAT_HELPS : null;
  const proof = await proofOf(doors, project, signal);
  return { action, ...verdict, command, backupId: latest?.id ?? null, proof, askedAt: doors.clock.now().toISOString() };
}

async function proofOf(doors: Parameters<typeof answerGate>[0], project: ProjectRow, signal: AbortSignal): Promise<GateAnswer['proof']> {
  const row = await findNewestVerifiedBackup(doors.catalog.db, project.id);
  if (row === undefined || row.restore_verified_at === null || (await presenceOf(doors.store, row)) === 'missing') return null;
  const changes = await readChangesSince(doors, project, row.id, signal);
  return { backupId: row.id, takenAt: row.created_at.toISOString(), verifiedAt: row.restore_verified_at.toISOString(), changes };
}

async function verdictOn(
  doors: GateDoors,
  project: ProjectRow,
  action: GateAction,
  backup: string | undefined,
  signal: AbortSignal,
): Promise<Verdict> {
  if (action === 'delete_last_verified') {
    if (backup === undefined)
      throw new FluxError('invalid_request', 'Which backup is to be deleted is not said.', { hint: 'Add backup=<id>.' });
    const row = await selectBackup(doors.catalog.db, project, parseBackupSelector(backup));
    if (await isLastWayBack(doors, row)) return { decision: 'refused', ...lastWayBackRefusal(row) };
    return cleared(row, await tierOf(doors, row), 'It is not the newest restore-verified backup.');
  }
  const found = await examineLatest(doors, project, signal);
  if (found.kind === 'restorable')
    return cleared(found.latest, 'restorable', 'The latest backup is restore-verified, and its file is the one that was restored.');
  // It was cleared when it began.
  if (hasBegun(project, action)) return { decision: 'cleared', ...found.refusal, guidance: 'The removal had begun, and goes on.' };
  if (PROVES_FIRST.has(action) && (await isCutShort(doors, project)))
    return {
      decision: 'cleared',
      ...found.refusal,
      guidance: 'It was cut short before; it takes a backup of its own and proves it first.',
    };
  return { decision: 'refused', ...found.refusal };
}

/** What takes a backup of its own, proves it, and asks the gate again before it destroys. */
const PROVES_FIRST = new Set<GateAction>(['restore_in_place', 'migrate_drop_source']);

function hasBegun({ lifecycle, migration_state }: ProjectRow, action: GateAction): boolean {
  if (action === 'nuke') return lifecycle === 'removing';
  return action === 'migrate_drop_source' && migration_state === 'dropping_source';
}

async function tierOf({ store }: GateDoors, row: BackupRow): Promise<TrustTier> {
  return trustTierOf(row, await presenceOf(store, row));
}

function cleared(row: BackupRow, tier: TrustTier, guidance: string): Verdict {
  const detail = `backup ${row.id} of ${row.created_at.toISOString()}`;
  return { decision: 'cleared', tier, label: trustLabel(tier, row.kind), guidance, detail };
}
