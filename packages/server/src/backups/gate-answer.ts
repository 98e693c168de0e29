import { FluxError } from '@flux/contract/errors';
import type { GateAction, GateAnswer } from '@flux/contract/gate';
import { type TrustTier, trustLabel } from '@flux/contract/labels';
import { REFUSAL_COMMAND } from '@flux/contract/refusal';
import type { BlobStore } from '../blobs/store.ts';
import { type BackupRow, findBackupById, findLatestBackup } from '../catalog/backups.ts';
import type { ProjectRow } from '../catalog/projects.ts';
import { readChangesSince } from './changes.ts';
import type { CreateDeps } from './create.ts';
import { examineDeletion } from './deletion-check.ts';
import { examineRecorded, latestIsUnfinishedWork, PROVES_FIRST } from './gate.ts';
import { checkArtifact } from './item.ts';
import { findNewestRestorable } from './newest-restorable.ts';
import type { ReadingDeps } from './reading.ts';
import { parseBackupSelector, selectBackup } from './select.ts';
import { trustTierOf } from './trust.ts';

/** The intended action. */
export interface GateQuestion {
  readonly action: GateAction;
  /** The backup to delete: an id, or `latest`. */
  readonly backup?: string | undefined;
}

type Verdict = Pick<GateAnswer, 'decision' | 'tier' | 'label' | 'guidance' | 'detail'>;

/** What the gate would decide now, how old the proof is and what has changed since. Informational only; does not grant a clearance. */
export async function answerGate(
  deps: ReadingDeps & Pick<CreateDeps, 'engines'>,
  project: ProjectRow,
  { action, backup }: GateQuestion,
  signal: AbortSignal,
): Promise<GateAnswer> {
  const latest = await findLatestBackup(deps.catalog.db, project.id);
  const verdict = await verdictOn(deps, project, action, backup, signal);
  const command = verdict.decision === 'refused' ? REFUSAL_COMMAND : null;
  const proof = await proofOf(deps, project, signal);
  const policy = action === 'push' ? { pushPolicy: project.push_policy } : {};
  return { action, ...policy, ...verdict, command, backupId: latest?.id ?? null, proof, askedAt: deps.clock.now().toISOString() };
}

async function proofOf(deps: Parameters<typeof answerGate>[0], project: ProjectRow, signal: AbortSignal): Promise<GateAnswer['proof']> {
  const row = await findNewestRestorable(deps, project);
  if (row === undefined || row.restore_verified_at === null) return null;
  const changes = await readChangesSince(deps, project, row.id, signal);
  return { backupId: row.id, takenAt: row.created_at.toISOString(), verifiedAt: row.restore_verified_at.toISOString(), changes };
}

async function verdictOn(
  deps: ReadingDeps,
  project: ProjectRow,
  action: GateAction,
  backup: string | undefined,
  signal: AbortSignal,
): Promise<Verdict> {
  if (action === 'delete_last_verified') {
    if (backup === undefined) throw new FluxError('invalid_request', 'No backup was specified.', { hint: 'Add backup=<id>.' });
    const row = await selectBackup(deps.catalog.db, project, parseBackupSelector(backup));
    const found = await examineDeletion(deps, row, signal);
    if (found.kind === 'refused') return { decision: 'refused', ...found.refusal };
    const tier = await tierOf(deps.store, (await findBackupById(deps.catalog.db, row.id)) ?? row);
    if (found.behind === null && row.origin === 'imported')
      return cleared(row, tier, 'It was imported, so it is no way back for the data of this project. The file may exist nowhere else.');
    if (found.behind === null) return cleared(row, tier, 'It has no artifact that could be lost.');
    return cleared(row, tier, `Backup ${found.behind.id} is kept, and its file is intact.`);
  }
  const found = await examineRecorded(deps, project);
  if (found.kind === 'restorable')
    return cleared(found.latest, 'restorable', `The latest backup is restore-verified. ${whenRead(found.latest)}`);
  // It was cleared when it started.
  if (hasBegun(project, action))
    return { decision: 'cleared', ...found.refusal, guidance: 'The removal has already started, and continues.' };
  if (PROVES_FIRST.has(action) && (await latestIsUnfinishedWork(deps, project)))
    return {
      decision: 'cleared',
      ...found.refusal,
      guidance: 'It was interrupted before; it first creates and verifies its own backup.',
    };
  if (!found.mayBeIntactAgain) return { decision: 'refused', ...found.refusal };
  // The answer does not read the file.
  const detail = `${found.refusal.detail} \`flux backup verify --latest\` reads the file again.`;
  return { decision: 'refused', ...found.refusal, detail };
}

/** The answer does not read the file: it says when the file was last read. */
function whenRead({ bytes_read_at }: BackupRow): string {
  const last = bytes_read_at === null ? 'Its file has its size' : `Its file was last read at ${bytes_read_at.toISOString()}`;
  return `${last}; it is read again before anything is destroyed.`;
}

function hasBegun({ lifecycle, migration_state }: ProjectRow, action: GateAction): boolean {
  if (action === 'nuke') return lifecycle === 'removing';
  return action === 'migrate_drop_source' && migration_state === 'dropping_source';
}

async function tierOf(store: BlobStore, row: BackupRow): Promise<TrustTier> {
  return trustTierOf(row, await checkArtifact(store, row));
}

function cleared(row: BackupRow, tier: TrustTier, guidance: string): Verdict {
  const detail = `backup ${row.id} of ${row.created_at.toISOString()}`;
  return { decision: 'cleared', tier, label: trustLabel(tier, row.kind), guidance, detail };
}
