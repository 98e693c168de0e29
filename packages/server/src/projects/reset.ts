import type { OperationId } from '@flux/contract/ids';
import type { OperationResult } from '@flux/contract/operation-results';
import type { DestroyRequest } from '@flux/contract/project';
import * as z from 'zod';
import { redeemClearance, refuseShutGate, requireGate } from '../backups/gate.ts';
import { type Override, OverrideSchema, overrideOf } from '../backups/override.ts';
import type { ReadingDeps } from '../backups/reading.ts';
import type { BlobStore } from '../blobs/store.ts';
import { type Actor, recordAudit } from '../catalog/audit.ts';
import type { ProjectRow } from '../catalog/projects.ts';
import { requireCapability } from '../engines/capabilities.ts';
import type { EngineDirectory } from '../engines/directory.ts';
import { defineOperation, type Order, type Task } from '../operations/define.ts';
import { type RequestDeps, requestOperation } from '../operations/request.ts';
import { requireActive } from './active.ts';
import { type SwapDeps, swapIn } from './restore/swap-in.ts';

/** What emptying a project uses. */
export interface ResetDeps extends ReadingDeps, SwapDeps {}

/** Empties a project. */
export const reset = defineOperation({
  kind: 'reset',
  lane: 'short',
  request: z.object({ override: OverrideSchema }),
  touches: 'project',
  runsOn: 'project host',
  audit: ({ project }) => ({ action: 'project.reset_requested', subject: project.slug }),
  afterWorkerLoss: 'end',
  hintAfterDeath: () => 'The project may be empty already: look at it before you run the command again.',
  run: resetProject,
});

/**
 * Records the reset of a project and enqueues it.
 *
 * @throws FluxError `gate_refused`, `not_ready`, `invalid_request`, `busy`
 */
export async function requestReset(
  deps: RequestDeps & { readonly engines: EngineDirectory; readonly store: BlobStore },
  project: ProjectRow,
  requester: Actor,
  body: DestroyRequest,
): Promise<OperationId> {
  requireActive(project);
  requireCapability(deps.engines.of(project).engine, 'staging', project);
  const override = overrideOf(body ?? {});
  await refuseShutGate(deps, project, 'reset', override);
  return requestOperation(deps, reset, async () => ({ project, requester, request: { override } }));
}

/**
 * Empties a project, as it was when it was created: an empty staging beside the live data, and a swap of names. The old data is
 * retained for an undo, as after a restore in place; users, passwords and addresses stay.
 */
async function resetProject(
  deps: ResetDeps,
  { project: row, request, requester }: Order<{ readonly override: Override | null }>,
  task: Task,
): Promise<OperationResult<'reset'>> {
  const clearance = await requireGate(deps, row, 'reset', request.override, task.signal);
  const { engine, project } = deps.engines.of(row);
  task.progress({ phase: 'prepare', message: 'Creating an empty staging beside the live data' });
  const staging = await requireCapability(engine, 'staging', project).openEmpty(project, task.signal);
  const swapped = await swapIn(deps, row, staging, task, async (db) => {
    await redeemClearance(db, clearance, row, 'reset', requester);
    await recordAudit(db, requester, { action: 'project.reset', projectId: row.id, subject: row.slug });
  });
  return { ok: true, hash: row.hash, ...swapped };
}
