import { FluxError } from '@flux/contract/errors';
import type { BackupId, OperationId } from '@flux/contract/ids';
import { OPERATION_TITLES, type OperationKind } from '@flux/contract/operation-kind';
import { type Actor, recordAudit } from '../catalog/audit.ts';
import type { Catalog, DatabaseTransaction } from '../catalog/open.ts';
import { findOperationInTheWay, insertOperation } from '../catalog/operations.ts';
import type { ProjectRow } from '../catalog/projects.ts';
import type { Clock } from '../system/clock.ts';
import { uuidv7 } from '../system/uuid.ts';
import type { OperationDefinition, Touches } from './define.ts';

/** Brings recorded operations to workers. */
export interface OperationQueue {
  /** Tells the workers of a queued operation when the transaction has committed. They would find it anyway, a little later. */
  enqueue(db: DatabaseTransaction, id: OperationId): Promise<void>;
}

/** What recording an operation needs. */
export interface RequestDeps {
  readonly catalog: Catalog;
  readonly clock: Clock;
  readonly queue: OperationQueue;
}

/** What to record. */
export interface NewOrder<Request> {
  readonly project: ProjectRow;
  readonly backupId?: BackupId | null;
  readonly requester: Actor;
  readonly request: Request;
}

/** The control plane itself, for operations without a requester. */
export const SYSTEM: Actor = { userId: null, tokenId: null };

/**
 * Records an operation and sends it to the workers: exclusion, row and audit in one transaction.
 *
 * @param prepare runs first in the same transaction and returns the order
 * @throws FluxError `busy` when another operation touches the same thing (a constraint of the catalog decides)
 */
export async function requestOperation<K extends OperationKind, Request extends object, Deps>(
  { catalog, clock, queue }: RequestDeps,
  definition: OperationDefinition<K, Request, Deps>,
  prepare: (db: DatabaseTransaction, id: OperationId) => Promise<NewOrder<Request>>,
): Promise<OperationId> {
  const id = uuidv7(clock.now()) as OperationId;
  await catalog.db.transaction().execute(async (db) => {
    const order = await prepare(db, id);
    await recordOperation(db, definition, order, { id, now: clock.now(), workerId: null });
    await queue.enqueue(db, id);
  });
  return id;
}

/** Records an operation as queued, or as running under a worker. @throws FluxError `busy` */
export async function recordOperation<K extends OperationKind, Request extends object, Deps>(
  db: DatabaseTransaction,
  definition: OperationDefinition<K, Request, Deps>,
  { project, backupId = null, requester, request: unparsed }: NewOrder<Request>,
  { id, now, workerId }: { readonly id: OperationId; readonly now: Date; readonly workerId: string | null },
): Promise<void> {
  const request = definition.request.parse(unparsed);
  const touches = definition.touches(request);
  const recorded = await insertOperation(db, {
    id,
    projectId: project.id,
    kind: definition.kind,
    touches,
    backupId,
    requestedBy: requester.tokenId,
    request,
    createdAt: now,
    workerId,
  });
  if (!recorded) throw await busy(db, project, touches, backupId);
  const entry = definition.audit?.({ project, backupId, requester, request });
  if (entry !== undefined) await recordAudit(db, requester, { ...entry, projectId: project.id, details: { ...entry.details } });
}

async function busy(db: DatabaseTransaction, project: ProjectRow, touches: Touches, backupId: BackupId | null): Promise<FluxError> {
  const other = await findOperationInTheWay(db, project.id, touches, backupId);
  return busyWith(other, touches);
}

/** The error that names the operation in progress. */
export function busyWith(
  other: { readonly id: OperationId; readonly kind: OperationKind; readonly started_at: Date | null } | undefined,
  touches: Touches,
): FluxError {
  const what = other === undefined ? 'Another operation' : OPERATION_TITLES[other.kind];
  const which = other === undefined ? '' : ` (operation ${other.id})`;
  return new FluxError('busy', `${what} of this ${touches} is already running${which}.`, {
    hint: 'Wait until it has ended (`flux backup list` shows its result), then run the command again.',
    details: { operationId: other?.id, kind: other?.kind, startedAt: other?.started_at?.toISOString() },
  });
}
