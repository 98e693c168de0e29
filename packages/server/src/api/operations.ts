import { FluxError } from '@flux/contract/errors';
import { isUuid, type OperationId } from '@flux/contract/ids';
import type { OperationAnswer, OperationEvent, Progress } from '@flux/contract/operation';
import { ROUTES } from '@flux/contract/routes';
import { isVisible, type Principal } from '../access/policy.ts';
import { findOperation, listProgress, type OperationRow } from '../catalog/operations.ts';
import { findProjectById } from '../catalog/projects.ts';
import { cancelOperation } from '../operations/cancel.ts';
import { isFinished } from '../operations/wait.ts';
import type { ApiDoors } from './doors.ts';
import type { Router } from './router.ts';

const LOOK_AGAIN_MS = 1000;
const HEARTBEAT_MS = 15_000;

/** State, progress and end of operations. */
export function registerOperationRoutes(router: Router, doors: ApiDoors): void {
  router.json(ROUTES.getOperation, async ({ principal, params }) => toOperationAnswer(await requireOperation(doors, principal, params.id)));
  router.json(ROUTES.cancelOperation, async ({ principal, params }) => {
    const operation = await requireOperation(doors, principal, params.id);
    return toOperationAnswer(await cancelOperation(doors, doors.kinds, operation));
  });
  router.raw(ROUTES.watchOperation, async ({ principal, params, request, reply, signal }) => {
    const operation = await requireOperation(doors, principal, params.id);
    reply.hijack();
    reply.raw.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' });
    const after = Number(request.headers['last-event-id']);
    const send = (event: OperationEvent) => reply.raw.write(`id: ${event.seq}\nevent: ${event.kind}\ndata: ${JSON.stringify(event)}\n\n`);
    await follow(
      doors,
      operation.id,
      Number.isSafeInteger(after) && after > 0 ? after : 0,
      send,
      () => reply.raw.write(':\n\n'),
      signal,
    ).catch((error) => doors.log.warn({ err: error, operation: operation.id }, 'an event stream broke off'));
    reply.raw.end();
  });
}

/** Sends what happened since `after`, then what happens, until the operation has ended or nobody listens. */
async function follow(
  doors: ApiDoors,
  id: OperationId,
  after: number,
  send: (event: OperationEvent) => void,
  beat: () => void,
  signal: AbortSignal,
): Promise<void> {
  let seq = after;
  let lastSentAt = performance.now();
  while (!signal.aborted) {
    const heard = doors.catalog.listener.wait('flux_operation', id, LOOK_AGAIN_MS, signal);
    const operation = await findOperation(doors.catalog.db, id);
    if (operation === undefined) return;
    for (const row of await listProgress(doors.catalog.db, id, seq)) {
      seq = row.seq;
      send({ kind: 'progress', seq, at: row.at.toISOString(), progress: row.data as Progress });
      lastSentAt = performance.now();
    }
    if (isFinished(operation))
      return send({ kind: 'state', seq: seq + 1, at: new Date().toISOString(), operation: toOperationAnswer(operation) });
    if (performance.now() - lastSentAt > HEARTBEAT_MS) {
      beat();
      lastSentAt = performance.now();
    }
    await heard;
  }
}

/** An operation as the wire shows it. */
export function toOperationAnswer(operation: OperationRow): OperationAnswer {
  return {
    id: operation.id,
    kind: operation.kind,
    state: operation.state,
    projectHash: operation.projectHash,
    projectSlug: operation.projectSlug,
    backupId: operation.backup_id,
    progress: operation.progress as Progress | null,
    ...(operation.result === null ? {} : { result: operation.result }),
    ...(operation.error === null ? {} : { error: operation.error }),
    createdAt: operation.created_at.toISOString(),
    startedAt: operation.started_at?.toISOString() ?? null,
    finishedAt: operation.finished_at?.toISOString() ?? null,
  };
}

async function requireOperation(doors: ApiDoors, principal: Principal, id: string): Promise<OperationRow> {
  const operation = isUuid(id) ? await findOperation(doors.catalog.db, id as OperationId) : undefined;
  const project = operation === undefined ? undefined : await findProjectById(doors.catalog.db, operation.project_id);
  if (operation !== undefined && project !== undefined && isVisible(principal, project)) return operation;
  throw new FluxError('operation_not_found', `There is no operation ${id}.`, { hint: 'See `flux backup list` for what became of it.' });
}
