import type { RestoreAnswer } from '@flux/contract/restore';
import { type Clearance, consultGate, type Override, redeemClearance, refusalError } from '../../backups/gate.ts';
import type { OpenedBackup } from '../../backups/restore/open.ts';
import { backUpPresentState } from '../../backups/restore/present.ts';
import { recordAudit } from '../../catalog/audit.ts';
import type { ProjectRow } from '../../catalog/projects.ts';
import type { OperationContext } from '../../operations/run.ts';
import { type RestoreDoors, restoreBeside } from './side.ts';

/** How to replace the data of a project. */
export interface InPlaceRequest {
  readonly presentBackup: 'taken' | 'skipped';
  readonly override: Override | null;
  readonly userId: ProjectRow['owner_id'];
}

/**
 * Replaces the data of a project by that of a backup. Everything that takes long happens beside the live data; the last step
 * is one transaction that swaps names, so that a crash at any moment leaves the old or the new. What was live is kept.
 *
 * @throws FluxError `gate_refused`, and what `restoreBeside` throws
 */
export async function restoreInPlace(
  doors: RestoreDoors,
  source: OpenedBackup,
  row: ProjectRow,
  request: InPlaceRequest,
  context: OperationContext,
): Promise<RestoreAnswer> {
  const present =
    request.presentBackup === 'skipped' ? null : await backUpPresentState(doors.backups, row, 'before a restore in place', context);
  // Asked again here: a clearance is for this moment, not for the one in which the work was queued.
  const decision = await consultGate(doors.backups, row, 'restore_in_place', request.override, context.signal);
  if (decision.kind === 'refused') throw refusalError(decision.refusal);
  const { engine, project } = doors.projects.engines.of(row);
  const { side, comparison, notes } = await restoreBeside(doors, source, row, { engine, project, place: 'beside' }, context);
  try {
    context.progress({ phase: 'swap', message: 'Swapping the names' });
    context.signal.throwIfAborted();
    await redeem(doors, row, source, decision.clearance, request, context);
    const older = await engine.listKept(project);
    const { keptAs, outageMs } = await side.swapIn('keep');
    // Only what has just been replaced is kept: two would fill the disk in silence.
    await engine
      .dropKept(project, older)
      .catch((error) => doors.projects.log.warn({ err: error, project: row.hash }, 'what an older restore had replaced stays'));
    return {
      ok: true,
      how: 'in_place',
      backupId: source.row.id,
      project: { slug: row.slug, hash: row.hash, mode: row.engine },
      tablesCompared: comparison.tablesCompared,
      rowsCompared: comparison.rowsCompared,
      notes: [...notes],
      previousKeptAs: keptAs,
      presentBackupId: present,
      outageMs,
    };
  } catch (error) {
    await side.discard().catch((failure) => doors.projects.log.warn({ err: failure, project: row.hash }, 'a half-made restore stays'));
    throw error;
  }
}

/** Swaps back what the newest restore in place has replaced; what is live now is kept in its stead. */
export async function undoInPlace(doors: RestoreDoors, row: ProjectRow, context: OperationContext): Promise<RestoreAnswer> {
  const { engine, project } = doors.projects.engines.of(row);
  context.progress({ phase: 'swap', message: 'Swapping the names back' });
  const { keptAs, outageMs } = await engine.undoSwap(project);
  return {
    ok: true,
    how: 'undo',
    backupId: null,
    project: { slug: row.slug, hash: row.hash, mode: row.engine },
    tablesCompared: 0,
    rowsCompared: 0,
    notes: [],
    previousKeptAs: keptAs,
    presentBackupId: null,
    outageMs,
  };
}

async function redeem(
  { projects }: RestoreDoors,
  row: ProjectRow,
  source: OpenedBackup,
  clearance: Clearance,
  request: InPlaceRequest,
  context: OperationContext,
): Promise<void> {
  const actor = { userId: request.userId, tokenId: context.operation.requested_by };
  await projects.catalog.db.transaction().execute(async (db) => {
    await redeemClearance(db, clearance, row, 'restore_in_place', actor);
    await recordAudit(db, actor, { action: 'project.restore_in_place', projectId: row.id, subject: source.row.id });
  });
}
