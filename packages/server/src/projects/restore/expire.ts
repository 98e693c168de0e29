import { isFluxError, toProblem } from '@flux/contract/errors';
import { recordAudit } from '../../catalog/audit.ts';
import { finishOperation } from '../../catalog/operations.ts';
import { listRestoredProjects, type ProjectRow } from '../../catalog/projects.ts';
import { beginHere } from '../../operations/begin.ts';
import { describeFailure } from '../../operations/run.ts';
import type { ProjectDoors } from '../doors.ts';
import { keptUntil, listKept } from './kept.ts';

/** The control plane itself. */
const NOBODY = { userId: null, tokenId: null };

/**
 * Removes what restores in place have replaced and kept, when its time for an undo is over. Each removal is an operation of its
 * project, so that it never meets another one, on however many servers this runs; a project that is busy waits for the next
 * time. Never throws for a single project.
 */
export async function expireKept(doors: ProjectDoors, signal: AbortSignal): Promise<void> {
  for (const row of await listRestoredProjects(doors.catalog.db)) {
    if (signal.aborted) return;
    try {
      if ((await namesThatAreOver(doors, row)).length > 0) await doors.lease.during(({ workerId }) => removeKept(doors, row, workerId));
    } catch (error) {
      if (!isFluxError(error, 'busy'))
        doors.log.warn({ err: error, project: row.hash }, 'what a restore had replaced could not be removed');
    }
  }
}

async function namesThatAreOver(doors: ProjectDoors, row: ProjectRow): Promise<string[]> {
  const now = doors.clock.now();
  const over = (await listKept(doors, row)).filter(({ replacedAt }) => keptUntil(replacedAt, doors.undoKeepMs) <= now);
  return over.map(({ name }) => name);
}

async function removeKept(doors: ProjectDoors, row: ProjectRow, workerId: string): Promise<void> {
  const { catalog, clock, engines, log } = doors;
  const operation = { projectId: row.id, kind: 'kept_expire', backupId: null, actor: NOBODY, request: {} } as const;
  const id = await catalog.db.transaction().execute((db) => beginHere(db, clock, operation, workerId));
  try {
    // Looked at again: until now, an undo could have made something of it live.
    const names = await namesThatAreOver(doors, row);
    await catalog.db.transaction().execute(async (db) => {
      for (const subject of names) await recordAudit(db, NOBODY, { action: 'project.kept_expire', projectId: row.id, subject });
    });
    const { engine, project } = engines.of(row);
    await engine.dropKept(project, names);
    await finishOperation(catalog.db, id, { state: 'succeeded', result: { removed: names } }, clock.now());
    log.info({ project: row.hash, names }, 'removed what a restore had replaced: its time for an undo was over');
  } catch (error) {
    const none = new AbortController().signal;
    await finishOperation(catalog.db, id, { state: 'failed', error: toProblem(describeFailure(error, none, none)) }, clock.now());
    throw error;
  }
}
