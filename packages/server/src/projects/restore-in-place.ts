import type { RestoreAnswer, RestoreRequest } from '@flux/contract/restore';
import { precheckGate, redeemClearance, refuseShutGate, requireGate } from '../backups/gate.ts';
import { overrideOf } from '../backups/override.ts';
import type { LendingDeps, ReadingDeps } from '../backups/reading.ts';
import { answerRestore } from '../backups/restore/answer.ts';
import { openBackup } from '../backups/restore/open.ts';
import { type SafetyBackupDeps, takeSafetyBackup } from '../backups/restore/safety-backup.ts';
import { recordAudit } from '../catalog/audit.ts';
import type { BackupRow } from '../catalog/backups.ts';
import type { ProjectRow } from '../catalog/projects.ts';
import type { EngineDirectory } from '../engines/directory.ts';
import type { Order, Task } from '../operations/define.ts';
import type { InPlacePlan } from './restore/plan.ts';
import { requireStaging, restoreIntoStaging, type StagingDeps } from './restore/staging.ts';
import { type SwapDeps, swapIn } from './restore/swap-in.ts';

/** What replacing the data of a project uses: the parts of its phases. */
export interface RestoreInPlaceDeps {
  readonly engines: EngineDirectory;
  /** For the gate, and for the backup that is restored. */
  readonly artifacts: LendingDeps;
  readonly safetyBackup: SafetyBackupDeps;
  readonly staging: StagingDeps;
  readonly swap: SwapDeps;
}

const SAFETY_BACKUP = { note: 'before a restore in place', hint: '--skip-present-backup goes on without one.' };

/**
 * Refuses what is known to be refused before anything is read.
 *
 * @throws FluxError `not_ready`, `invalid_request`, `gate_refused`
 */
export async function planInPlace(
  deps: Pick<ReadingDeps, 'catalog' | 'store'> & Pick<RestoreInPlaceDeps, 'engines'>,
  project: ProjectRow,
  backup: BackupRow,
  body: NonNullable<RestoreRequest>,
): Promise<InPlacePlan> {
  requireStaging(deps.engines, project, backup);
  const override = overrideOf(body);
  await refuseShutGate(deps, project, 'restore_in_place', override);
  return { how: 'in_place', presentBackup: body.skipPresentBackup === true ? 'skipped' : 'taken', override };
}

/**
 * Replaces the data of a project by that of a backup. Everything that takes long is done beside the live data; the last step swaps
 * names in one transaction, so that a crash at any moment leaves the old data or the new. The old data is retained for an undo.
 *
 * @throws FluxError `gate_refused`; what `openBackup`, `takeSafetyBackup` and `restoreIntoStaging` throw: nothing was changed then
 */
export async function restoreInPlace(
  deps: RestoreInPlaceDeps,
  { request: plan, project: row, backupId, requester }: Order<InPlacePlan>,
  task: Task,
): Promise<RestoreAnswer> {
  // Before the artifact is opened: what the gate refuses is said in the gate's words.
  await precheckGate(deps.artifacts, row, 'restore_in_place', plan.override, task.signal);
  await using source = await openBackup(deps.artifacts, backupId, task);

  const presentBackupId = plan.presentBackup === 'skipped' ? null : await takeSafetyBackup(deps.safetyBackup, row, SAFETY_BACKUP, task);
  // Asked again: the newest backup is another one now, and a clearance is for this moment.
  const clearance = await requireGate(deps.artifacts, row, 'restore_in_place', plan.override, task.signal);

  const { engine, project } = deps.engines.of(row);
  const restored = await restoreIntoStaging(deps.staging, source, row, { engine, project, place: 'beside' }, task);

  const swapped = await swapIn(deps.swap, row, restored.staging, task, async (db) => {
    await redeemClearance(db, clearance, row, 'restore_in_place', requester);
    await recordAudit(db, requester, { action: 'project.restore_in_place', projectId: row.id, subject: source.row.id });
  });
  return answerRestore('in_place', source.row.id, row, { ...restored.compared, presentBackupId, ...swapped });
}
