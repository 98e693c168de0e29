import type { OperationId } from '@flux/contract/ids';
import type { OperationResult } from '@flux/contract/operation-results';
import type { DestroyRequest } from '@flux/contract/project';
import * as z from 'zod';
import { type Override, OverrideSchema, overrideOf, redeemClearance, refuseShutGate, requireGate } from '../backups/gate.ts';
import { type Actor, recordAudit } from '../catalog/audit.ts';
import type { ProjectRow } from '../catalog/projects.ts';
import { requireCapability } from '../engines/capabilities.ts';
import { defineOperation, type Order, type Task } from '../operations/define.ts';
import { requestOperation } from '../operations/request.ts';
import { requireActive } from './active.ts';
import type { RestoreDoors } from './restore/into-staging.ts';
import { swapInAndKeep } from './restore/swap-in.ts';

/** Empties a project. */
export const reset = defineOperation({
  kind: 'reset',
  request: z.object({ override: OverrideSchema }),
  touches: 'project',
  runsOn: 'project host',
  audit: ({ project }) => ({ action: 'project.reset_requested', subject: project.slug }),
  afterWorkerLoss: 'end',
  run: resetProject,
});

/**
 * Records the reset of a project and enqueues it.
 *
 * @throws FluxError `gate_refused`, `not_ready`, `invalid_request`, `busy`
 */
export async function requestReset(doors: RestoreDoors, project: ProjectRow, requester: Actor, body: DestroyRequest): Promise<OperationId> {
  requireActive(project);
  requireCapability(doors.projects.engines.of(project).engine, 'staging', project);
  const override = overrideOf(body ?? {});
  await refuseShutGate(doors.backups, project, 'reset', override);
  return requestOperation(doors.projects.operations, reset, async () => ({ project, requester, request: { override } }));
}

/**
 * Makes a project empty, as it was when it was created: an empty place beside the live data, and a swap of names. The data that was
 * there stays for an undo, as after a restore in place; users, passwords and addresses stay.
 */
async function resetProject(
  doors: RestoreDoors,
  { project: row, request, requester }: Order<{ readonly override: Override | null }>,
  task: Task,
): Promise<OperationResult<'reset'>> {
  const clearance = await requireGate(doors.backups, row, 'reset', request.override, task.signal);
  const { engine, project } = doors.projects.engines.of(row);
  task.progress({ phase: 'prepare', message: 'Creating an empty place beside the live data' });
  const staging = await requireCapability(engine, 'staging', project).openEmpty(project, task.signal);
  const swapped = await swapInAndKeep(doors, row, staging, task, async (db) => {
    await redeemClearance(db, clearance, row, 'reset', requester);
    await recordAudit(db, requester, { action: 'project.reset', projectId: row.id, subject: row.slug });
  });
  return { ok: true, hash: row.hash, ...swapped };
}
