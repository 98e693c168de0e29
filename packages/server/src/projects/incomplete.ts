import { FluxError } from '@flux/contract/errors';
import type { Catalog } from '../catalog/open.ts';
import { deleteIncompleteProject, listIncompleteProjects, lockProject, markProjectRemoved, type ProjectRow } from '../catalog/projects.ts';
import { isWorkerAlive } from '../catalog/worker-lease.ts';
import type { EngineDirectory } from '../engines/directory.ts';
import type { RemoveOptions } from '../engines/engine.ts';
import type { Clock } from '../system/clock.ts';
import type { Log } from '../system/log.ts';
import { declareStanding } from './standing.ts';

/** What removing incomplete projects uses. */
export interface RemoveIncompleteDeps {
  readonly catalog: Catalog;
  readonly engines: EngineDirectory;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Removes a project whose creation or restore failed, from Postgres and then from the catalog. One that was removed before and was
 * being restored has backups, and one that was recorded elsewhere has that: they keep their row, and are marked removed. One that is live by now
 * stays: the answer to the commit that made it so was lost. Never throws: a row that stays `creating` is tried again at the next start.
 *
 * @param removedAt when it was removed before; now, when it was not
 */
export async function removeIncompleteProject(
  deps: RemoveIncompleteDeps,
  row: ProjectRow,
  { removedAt = null, ...options }: RemoveOptions & { readonly removedAt?: Date | null } = {},
): Promise<void> {
  const { catalog, engines, clock, log } = deps;
  try {
    const { engine, project } = engines.of(row);
    // The row is locked to the end, so that its creator, when it lives after all, does not make it live meanwhile.
    const isLeft = await catalog.db.transaction().execute(async (db) => {
      const now = await lockProject(db, row.id);
      const isIncomplete = now?.lifecycle === 'creating' && now.worker_id === row.worker_id;
      if (now !== undefined && now.lifecycle !== 'removed' && !isIncomplete) return true;
      // Also when another server has removed it before: what was provisioned since then is not in any list.
      await engine.remove(project, options);
      if (isIncomplete && !(await deleteIncompleteProject(db, row.id))) await markProjectRemoved(db, row.id, removedAt ?? clock.now());
      return false;
    });
    if (isLeft) await declareStanding(deps, row.id);
  } catch (error) {
    log.error({ err: error, project: row.hash }, 'could not remove an incomplete project');
  }
}

/** What a creation is told whose project was removed by a server that took its creator for dead. */
export function removedMeanwhile({ slug }: Pick<ProjectRow, 'slug'>): FluxError {
  return new FluxError('interrupted', `${slug} was removed while it was being created: another server took this one for dead.`, {
    hint: 'Run the command again.',
  });
}

/** Removes the projects that dead workers were creating. Those of a live server are left alone. */
export async function removeIncompleteProjects(deps: RemoveIncompleteDeps, signal: AbortSignal): Promise<void> {
  for (const { lockKey, ...row } of await listIncompleteProjects(deps.catalog.db)) {
    if (signal.aborted) return;
    if (await isWorkerAlive(deps.catalog, lockKey)) continue;
    deps.log.warn({ project: row.hash, slug: row.slug }, 'removing a project whose creation was interrupted');
    await removeIncompleteProject(deps, row, { to: 'trash', signal });
  }
}
