import type { RestoreAnswer } from '@flux/contract/restore';
import { type Override, redeemClearance, requireGate } from '../../backups/gate.ts';
import type { OpenedBackup } from '../../backups/restore/open.ts';
import { backUpPresentState } from '../../backups/restore/present.ts';
import { type Actor, recordAudit } from '../../catalog/audit.ts';
import type { ProjectRow } from '../../catalog/projects.ts';
import { requireCapability } from '../../engines/capabilities.ts';
import type { Task } from '../../operations/define.ts';
import { type RestoreDoors, restoreIntoStaging } from './into-staging.ts';
import { keptFields } from './kept.ts';
import { swapInAndKeep } from './swap-in.ts';

const PRESENT = { note: 'before a restore in place', hint: '--skip-present-backup goes on without one.' };

/** How to replace the data of a project. */
export interface InPlaceRequest {
  readonly presentBackup: 'taken' | 'skipped';
  readonly override: Override | null;
  readonly requester: Actor;
}

/**
 * Replaces the data of a project by that of a backup. Everything that takes long happens beside the live data; the last step
 * is one transaction that swaps names, so that a crash at any moment leaves the old or the new. What was live is kept.
 *
 * @throws FluxError `gate_refused`, and what `restoreIntoStaging` throws
 */
export async function restoreInPlace(
  doors: RestoreDoors,
  source: OpenedBackup,
  row: ProjectRow,
  request: InPlaceRequest,
  task: Task,
): Promise<RestoreAnswer> {
  const present = request.presentBackup === 'skipped' ? null : await backUpPresentState(doors.backups, row, PRESENT, task);
  // Asked again here: a clearance is for this moment, not for the one in which the work was queued.
  const clearance = await requireGate(doors.backups, row, 'restore_in_place', request.override, task.signal);
  const { engine, project } = doors.projects.engines.of(row);
  const { staging, comparison, notes } = await restoreIntoStaging(doors, source, row, { engine, project, place: 'beside' }, task);
  const swapped = await swapInAndKeep(doors, row, staging, task, async (db) => {
    await redeemClearance(db, clearance, row, 'restore_in_place', request.requester);
    await recordAudit(db, request.requester, { action: 'project.restore_in_place', projectId: row.id, subject: source.row.id });
  });
  return {
    ok: true,
    how: 'in_place',
    backupId: source.row.id,
    project: { slug: row.slug, hash: row.hash, mode: row.engine },
    tablesCompared: comparison.tablesCompared,
    rowsCompared: comparison.rowsCompared,
    notes: [...notes],
    presentBackupId: present,
    ...swapped,
  };
}

/** Swaps back what the newest restore in place has replaced; what is live now is kept in its stead. */
export async function undoInPlace(doors: RestoreDoors, row: ProjectRow, task: Task): Promise<RestoreAnswer> {
  const { engine, project } = doors.projects.engines.of(row);
  task.progress({ phase: 'swap', message: 'Swapping the names back' });
  const { undoName, outageMs } = await requireCapability(engine, 'undo', project).swapBack(project, task.signal);
  return {
    ok: true,
    how: 'undo',
    backupId: null,
    project: { slug: row.slug, hash: row.hash, mode: row.engine },
    tablesCompared: 0,
    rowsCompared: 0,
    notes: [],
    ...keptFields(doors.projects, undoName),
    presentBackupId: null,
    outageMs,
  };
}
