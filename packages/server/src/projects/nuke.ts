import { FluxError, isFluxError } from '@flux/contract/errors';
import type { OperationId } from '@flux/contract/ids';
import type { EngineKind } from '@flux/contract/labels';
import type { OperationResult } from '@flux/contract/operation-results';
import * as z from 'zod';
import { type Override, OverrideSchema, redeemClearance, refuseShutGate, requireGate } from '../backups/gate.ts';
import { type Actor, recordAudit } from '../catalog/audit.ts';
import { listRemovingProjects, markProjectRemoved, type ProjectRow, setProjectLifecycle } from '../catalog/projects.ts';
import { defineOperation, type Order, type Task } from '../operations/define.ts';
import { requestOperation, SYSTEM } from '../operations/request.ts';
import { runInline } from '../operations/run.ts';
import type { RestoreDoors } from './restore/into-staging.ts';

/** Removes a project from Postgres. */
export const nuke = defineOperation({
  kind: 'nuke',
  request: z.object({ override: OverrideSchema.default(null) }),
  touches: 'project',
  runsOn: 'project host',
  audit: ({ project }) => ({ action: 'project.nuke_requested', subject: project.slug }),
  afterWorkerLoss: 'end',
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
  doors: RestoreDoors,
  project: ProjectRow,
  requester: Actor,
  override: Override | null,
): Promise<OperationId> {
  if (project.lifecycle === 'removed')
    throw new FluxError('project_not_found', `${project.slug} has been removed already.`, {
      hint: 'Its backups are still there: `flux list --removed`.',
    });
  if (project.lifecycle !== 'removing') await refuseShutGate(doors.backups, project, 'nuke', override);
  return requestOperation(doors.projects.operations, nuke, async () => ({ project, requester, request: { override } }));
}

/**
 * Removes what a project has in Postgres: its instance, or its schema, roles and login. Its backups, proofs and audit stay under
 * its hash, so that there is a way back. A removal that failed half-way leaves the project as `removing`; requesting it again
 * takes it to its end, as does the next start. It was cleared when it began, and needs no clearance again.
 */
async function nukeProject(
  doors: RestoreDoors,
  { project, request, requester }: Order<{ readonly override: Override | null }>,
  task: Task,
): Promise<OperationResult<'nuke'>> {
  const { catalog, engines } = doors.projects;
  if (project.lifecycle !== 'removing') {
    task.progress({ phase: 'gate', message: 'Reading the latest backup' });
    const clearance = await requireGate(doors.backups, project, 'nuke', request.override, task.signal);
    await catalog.db.transaction().execute(async (db) => {
      await redeemClearance(db, clearance, project, 'nuke', requester);
      await setProjectLifecycle(db, project.id, 'removing');
      await recordAudit(db, requester, { action: 'project.nuke', projectId: project.id, subject: project.slug });
    });
  }
  task.progress({ phase: 'remove', message: `Removing ${project.slug}` });
  try {
    for (const kind of enginesHolding(project)) {
      const { engine, project: opened } = engines.of({ ...project, engine: kind });
      await engine.remove(opened);
    }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new FluxError(isFluxError(error) ? error.code : 'internal', `${project.slug} was removed only in part: ${why}`, {
      hint: 'Run the same command again: it goes on where it stopped.',
      cause: error,
    });
  }
  return { hash: project.hash, removed: true };
}

/**
 * Takes removals to their end that were interrupted: they were cleared and recorded, and a project that is neither there nor gone is
 * of use to nobody. Call when operations of dead workers have ended. Never throws: what cannot be removed now stays as `removing`.
 */
export async function finishRemovals(doors: RestoreDoors, signal: AbortSignal): Promise<void> {
  const { catalog, operations, log } = doors.projects;
  for (const project of await listRemovingProjects(catalog.db)) {
    try {
      await runInline(operations, nuke, doors, { project, requester: SYSTEM, request: { override: null } }, signal);
      log.warn({ project: project.hash, slug: project.slug }, 'finished a removal that was interrupted');
    } catch (error) {
      // Busy: another server is removing it.
      if (!isFluxError(error, 'busy')) log.error({ err: error, project: project.hash }, 'could not finish a removal');
    }
  }
}

/** A project that is being migrated, or was and has left something behind, is in two engines. */
function enginesHolding({ engine, migration_state }: ProjectRow): EngineKind[] {
  return migration_state === null ? [engine] : ['v1_dedicated', 'v2_shared'];
}
