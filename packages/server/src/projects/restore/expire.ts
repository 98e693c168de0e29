import { isFluxError } from '@flux/contract/errors';
import * as z from 'zod';
import { recordAudit } from '../../catalog/audit.ts';
import { listRestoredProjects, type ProjectRow } from '../../catalog/projects.ts';
import { defineOperation } from '../../operations/define.ts';
import { SYSTEM } from '../../operations/request.ts';
import { runInline } from '../../operations/run.ts';
import type { ProjectDoors } from '../doors.ts';
import { keptUntil, listKept } from './kept.ts';

/** Removes undo data of restores in place whose time is over. */
export const undoExpire = defineOperation({
  kind: 'undo_expire',
  request: z.object({}),
  touches: 'project',
  runsOn: 'project host',
  audit: null,
  afterWorkerLoss: 'end',
  run: async (doors: ProjectDoors, { project: row }, task) => {
    // Looked at again: until now, an undo could have made something of it live.
    const removed = await findExpired(doors, row);
    await doors.catalog.db.transaction().execute(async (db) => {
      for (const subject of removed) await recordAudit(db, SYSTEM, { action: 'project.undo_expire', projectId: row.id, subject });
    });
    const { engine, project } = doors.engines.of(row);
    await engine.undo?.drop(project, removed, task.signal);
    doors.log.info({ project: row.hash, names: removed }, 'removed expired undo data');
    return { removed };
  },
});

/**
 * Removes expired undo data of every project. Each removal is an operation of its project, so that it never meets another one, on
 * however many servers this runs; a project that is busy waits for the next time. Never throws for a single project.
 */
export async function expireUndoData(doors: ProjectDoors, signal: AbortSignal): Promise<void> {
  for (const project of await listRestoredProjects(doors.catalog.db)) {
    if (signal.aborted) return;
    try {
      if ((await findExpired(doors, project)).length === 0) continue;
      await runInline(doors.operations, undoExpire, doors, { project, requester: SYSTEM, request: {} }, signal);
    } catch (error) {
      if (!isFluxError(error, 'busy')) doors.log.warn({ err: error, project: project.hash }, 'expired undo data could not be removed');
    }
  }
}

async function findExpired(doors: ProjectDoors, row: ProjectRow): Promise<string[]> {
  const now = doors.clock.now();
  const expired = (await listKept(doors, row)).filter(({ replacedAt }) => keptUntil(replacedAt, doors.undoKeepMs) <= now);
  return expired.map(({ name }) => name);
}
