import { isFluxError } from '@flux/contract/errors';
import * as z from 'zod';
import { recordAudit } from '../../catalog/audit.ts';
import type { Catalog } from '../../catalog/open.ts';
import { listRestoredProjects, type ProjectRow } from '../../catalog/projects.ts';
import type { EngineDirectory } from '../../engines/directory.ts';
import { defineOperation } from '../../operations/define.ts';
import { SYSTEM } from '../../operations/request.ts';
import { type RunDeps, runInline } from '../../operations/run.ts';
import type { Clock } from '../../system/clock.ts';
import type { Log } from '../../system/log.ts';
import { listUndoData } from './data.ts';

/** What removing expired undo data uses. */
export interface ExpireUndoDeps {
  readonly catalog: Catalog;
  readonly engines: EngineDirectory;
  readonly expiryClock: Clock;
  readonly log: Log;
  readonly undoKeepMs: number;
}

/** Removes the expired undo data of one project. */
export const undoExpire = defineOperation({
  kind: 'undo_expire',
  lane: 'short',
  request: z.object({}),
  touches: 'project',
  runsOn: 'project host',
  audit: null,
  afterWorkerLoss: 'end',
  run: async (deps: ExpireUndoDeps, { project: row }, task) => {
    // Listed again: an undo since then may have swapped some of it back.
    const removed = await findExpired(deps, row);
    await deps.catalog.db.transaction().execute(async (db) => {
      for (const subject of removed) await recordAudit(db, SYSTEM, { action: 'project.undo_expire', projectId: row.id, subject });
    });
    const { engine, project } = deps.engines.of(row);
    await engine.undo?.drop(project, removed, task.signal);
    deps.log.info({ project: row.hash, names: removed }, 'removed expired undo data');
    return { removed };
  },
});

/**
 * Removes expired undo data of every project. Each removal is an operation of its project, so that it never meets another one, on
 * however many servers this runs; a project that is busy waits for the next time. Never throws for a single project.
 */
export async function expireUndoData(deps: ExpireUndoDeps & { readonly operations: RunDeps }, signal: AbortSignal): Promise<void> {
  for (const project of await listRestoredProjects(deps.catalog.db)) {
    if (signal.aborted) return;
    try {
      if ((await findExpired(deps, project)).length === 0) continue;
      await runInline(deps.operations, undoExpire, deps, { project, requester: SYSTEM, request: {} }, signal);
    } catch (error) {
      if (!isFluxError(error, 'busy')) deps.log.warn({ err: error, project: project.hash }, 'expired undo data could not be removed');
    }
  }
}

async function findExpired({ engines, expiryClock, undoKeepMs }: ExpireUndoDeps, row: ProjectRow): Promise<string[]> {
  const now = expiryClock.now();
  const expired = (await listUndoData(engines, row, undoKeepMs)).filter(({ expiresAt }) => expiresAt <= now);
  return expired.map(({ name }) => name);
}
