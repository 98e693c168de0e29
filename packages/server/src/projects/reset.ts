import { FluxError } from '@flux/contract/errors';
import type { OperationId } from '@flux/contract/ids';
import type { ResetAnswer, ResetRequest } from '@flux/contract/project';
import { type Clearance, type Override, redeemClearance, requireGate } from '../backups/gate.ts';
import { type Actor, recordAudit } from '../catalog/audit.ts';
import type { ProjectRow } from '../catalog/projects.ts';
import { beginOperation } from '../operations/begin.ts';
import type { OperationContext } from '../operations/run.ts';
import { requireActive } from './nuke.ts';
import type { RestoreDoors } from './restore/side.ts';
import { swapInAndKeep } from './restore/swap-in.ts';

interface ResetOrder {
  readonly override: Override | null;
}

/**
 * Asks the gate, records the reset and puts it before the workers.
 *
 * @throws FluxError `gate_refused`, `not_ready`, `invalid_request`, `busy`
 */
export async function requestReset(
  doors: RestoreDoors,
  row: ProjectRow,
  actor: Actor,
  body: ResetRequest,
  signal: AbortSignal,
): Promise<OperationId> {
  requireActive(row);
  if (row.attached)
    throw new FluxError('invalid_request', `${row.slug} is attached: Flux does not run its server and empties nothing there.`, {
      hint: 'Empty it by hand.',
    });
  const override = body?.skipBackupCheck === true ? { reason: body.reason ?? 'none was given' } : null;
  await clear(doors, row, { override }, signal);
  const { projects, backups } = doors;
  return projects.catalog.db.transaction().execute(async (db) => {
    const request: ResetOrder = { override };
    const id = await beginOperation(db, projects.clock, { projectId: row.id, kind: 'reset', backupId: null, actor, request });
    await backups.queue.enqueue(db, id);
    return id;
  });
}

/**
 * Makes a project empty, as it was when it was made: an empty place beside the live data, and a swap of names. What was there
 * is kept for an undo, like after a restore in place; users, passwords and addresses stay.
 */
export async function resetProject(doors: RestoreDoors, row: ProjectRow, context: OperationContext): Promise<ResetAnswer> {
  const clearance = await clear(doors, row, context.operation.request as ResetOrder, context.signal);
  const { engine, project } = doors.projects.engines.of(row);
  context.progress({ phase: 'prepare', message: 'Making an empty place beside the live data' });
  const side = await engine.openEmptySide(project, context.signal);
  const swapped = await swapInAndKeep(doors, row, side, context, async (db, actor) => {
    await redeemClearance(db, clearance, row, 'reset', actor);
    await recordAudit(db, actor, { action: 'project.reset', projectId: row.id, subject: row.slug });
  });
  return { ok: true, hash: row.hash, ...swapped };
}

async function clear(doors: RestoreDoors, row: ProjectRow, { override }: ResetOrder, signal: AbortSignal): Promise<Clearance> {
  return await requireGate(doors.backups, row, 'reset', override, signal);
}
