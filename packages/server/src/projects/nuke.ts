import { FluxError, isFluxError } from '@flux/contract/errors';
import type { OperationId } from '@flux/contract/ids';
import type { EngineKind } from '@flux/contract/labels';
import type { OperationResult } from '@flux/contract/operation-results';
import * as z from 'zod';
import { redeemClearance, refuseShutGate, requireGate } from '../backups/gate.ts';
import { type Override, OverrideSchema } from '../backups/override.ts';
import type { ReadingDeps } from '../backups/reading.ts';
import type { BlobStore } from '../blobs/store.ts';
import { type Actor, recordAudit } from '../catalog/audit.ts';
import { listRemovingProjects, markProjectRemoved, markProjectRemoving, type ProjectRow } from '../catalog/projects.ts';
import { isWorkerIdAlive } from '../catalog/worker-lease.ts';
import type { EngineDirectory } from '../engines/directory.ts';
import { defineOperation, type Order, type Task } from '../operations/define.ts';
import { type RequestDeps, requestOperation, SYSTEM } from '../operations/request.ts';
import { type RunDeps, runInline } from '../operations/run.ts';
import type { Log } from '../system/log.ts';
import { declareEnded, declareLive } from './standing.ts';

/** What removing a project uses. */
export interface NukeDeps extends ReadingDeps {
  readonly engines: EngineDirectory;
  readonly log: Log;
}

/** Removes a project from Postgres. Begun anew after a worker was lost: what is gone already is not there to be removed again. */
export const nuke = defineOperation({
  kind: 'nuke',
  lane: 'short',
  request: z.object({ override: OverrideSchema.default(null) }),
  touches: 'project',
  runsOn: 'project host',
  audit: ({ project }) => ({ action: 'project.nuke_requested', subject: project.slug }),
  afterWorkerLoss: 'restart',
  run: nukeProject,
  onSucceeded: async (db, { project }) => markProjectRemoved(db, project.id, new Date()),
});

/**
 * Records the removal of a project and enqueues it. What is known to be refused is refused at once; the artifact is read by the
 * operation.
 *
 * @throws FluxError `gate_refused`, `busy`, `project_not_found` when it was removed before
 */
export async function requestNuke(
  deps: RequestDeps & { readonly store: BlobStore },
  project: ProjectRow,
  requester: Actor,
  override: Override | null,
): Promise<OperationId> {
  if (project.lifecycle === 'removed')
    throw new FluxError('project_not_found', `${project.slug} has been removed already.`, {
      hint: 'Its backups are still there: `flux list --removed`.',
    });
  if (project.lifecycle !== 'removing') await refuseShutGate(deps, project, 'nuke', override);
  return requestOperation(deps, nuke, async () => ({ project, requester, request: { override } }));
}

/**
 * Removes what a project has in Postgres: its instance, or its schema, roles and login. Its backups, proofs and audit stay under
 * its hash, so that there is a way back. A removal that failed half-way leaves the project as `removing`; requesting it again
 * completes it, as does the next start. It was cleared when it began, and needs no clearance again.
 *
 * What nobody has asked this process for goes to the trash, also where it only goes on: the catalog may be a copy from before somebody cancelled
 * the removal, and the part before this one may have begun by the word of that copy. So does an incomplete project whose removal was not
 * completed: no gate has cleared it.
 */
async function nukeProject(
  deps: NukeDeps,
  { project, request, requester }: Order<{ readonly override: Override | null }>,
  task: Task,
): Promise<OperationResult<'nuke'>> {
  const { catalog, engines, log } = deps;
  if (project.lifecycle !== 'removing') {
    task.progress({ phase: 'gate', message: 'Reading the latest backup' });
    const clearance = await requireGate(deps, project, 'nuke', request.override, task.signal);
    try {
      await catalog.db.transaction().execute(async (db) => {
        await task.requireHeld(db);
        await redeemClearance(db, clearance, project, 'nuke', requester);
        await markProjectRemoving(db, project.id);
        await recordAudit(db, requester, { action: 'project.nuke', projectId: project.id, subject: project.slug });
        await declareEnded(deps, db, project, { standing: 'removing', kinds: enginesOf(project), signal: task.signal });
      });
    } catch (error) {
      // Only where it is still live: the commit may have been done although its answer was lost.
      await declareLive(deps, project);
      throw error;
    }
  }
  const to = task.isInherited || isOfNobody(requester) || isIncomplete(project) ? ('trash' as const) : undefined;
  task.progress({ phase: 'remove', message: to === 'trash' ? `Moving ${project.slug} to the trash` : `Removing ${project.slug}` });
  if (to === 'trash') log.warn({ project: project.hash, slug: project.slug }, MOVED_TO_TRASH);
  try {
    for (const kind of enginesOf(project)) {
      const { engine, project: opened } = engines.of({ ...project, engine: kind });
      await engine.remove(opened, { ...(to === undefined ? {} : { to }), signal: task.signal });
    }
  } catch (error) {
    task.signal.throwIfAborted();
    const why = error instanceof Error ? error.message : String(error);
    throw new FluxError(isFluxError(error) ? error.code : 'internal', `${project.slug} was removed only in part: ${why}`, {
      hint: 'Run the same command again: it goes on where it stopped.',
      cause: error,
    });
  }
  return { hash: project.hash, removed: true };
}

/**
 * Completes removals that were interrupted: they were cleared and recorded, and a project that is half removed is of use to nobody.
 * Call when operations of dead workers have ended. Never throws: a project that cannot be removed now stays as `removing`.
 */
export async function finishRemovals(deps: NukeDeps & { readonly operations: RunDeps }, signal: AbortSignal): Promise<void> {
  const { catalog, operations } = deps;
  const { log } = operations;
  for (const project of await listRemovingProjects(catalog.db)) {
    try {
      // An incomplete project that another part of this process, or another server, is removing.
      if (project.worker_id !== null && (await isWorkerIdAlive(catalog, project.worker_id))) continue;
      await runInline(operations, nuke, deps, { project, requester: SYSTEM, request: { override: null } }, signal);
      log.warn({ project: project.hash, slug: project.slug }, 'finished a removal that was interrupted');
    } catch (error) {
      // Busy: another server is removing it.
      if (!isFluxError(error, 'busy')) log.error({ err: error, project: project.hash }, 'could not finish a removal');
    }
  }
}

const MOVED_TO_TRASH =
  'this removal was requested before this process took up its work, or the project was not complete, so what is left of it goes to the trash for FLUX_TRASH_KEEP';

/** Its removal was not requested by anybody: a worker has begun it because the project was not complete. */
function isIncomplete({ lifecycle, worker_id }: ProjectRow): boolean {
  return lifecycle === 'removing' && worker_id !== null;
}

/** `SYSTEM`: a start or a recovery goes on with it. */
function isOfNobody({ userId, tokenId }: Actor): boolean {
  return userId === null && tokenId === null;
}

/** A project that is being migrated, or whose pooled schema was retained, is in two engines. */
function enginesOf({ engine, migration_state }: ProjectRow): EngineKind[] {
  return migration_state === null ? [engine] : ['v1_dedicated', 'v2_shared'];
}
