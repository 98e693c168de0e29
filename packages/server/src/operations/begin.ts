import { FluxError } from '@flux/contract/errors';
import type { BackupId, OperationId, ProjectId } from '@flux/contract/ids';
import type { OperationKind } from '@flux/contract/operation';
import type { Actor } from '../catalog/audit.ts';
import type { DatabaseTransaction } from '../catalog/open.ts';
import { claimOperation, findUnfinishedOperation, insertOperation } from '../catalog/operations.ts';
import type { Clock } from '../system/clock.ts';
import { uuidv7 } from '../system/uuid.ts';

/** Puts a recorded operation before the workers, within the transaction that records it: neither is there without the other. */
export interface OperationQueue {
  enqueue(db: DatabaseTransaction, operationId: OperationId): Promise<void>;
}

/** What to record about an operation that somebody asked for. */
export interface OperationRequest {
  readonly projectId: ProjectId;
  readonly kind: OperationKind;
  readonly backupId: BackupId | null;
  readonly actor: Actor;
  readonly request: object;
}

/**
 * Records an operation as queued, as part of the caller's transaction.
 *
 * @throws FluxError `busy` when another operation of the project is queued or running (the constraint decides, not we)
 */
export async function beginOperation(db: DatabaseTransaction, clock: Clock, request: OperationRequest): Promise<OperationId> {
  const id = uuidv7(clock.now()) as OperationId;
  const { projectId, kind, backupId, actor } = request;
  const recorded = await insertOperation(db, {
    id,
    projectId,
    kind,
    backupId,
    requestedBy: actor.tokenId,
    request: request.request,
    createdAt: clock.now(),
  });
  if (!recorded) throw await busy(db, projectId);
  return id;
}

/**
 * Records an operation that runs where it is asked for, as claimed already: one that is queued waits for a worker, and none would
 * ever take it.
 *
 * @throws FluxError `busy`
 */
export async function beginHere(db: DatabaseTransaction, clock: Clock, request: OperationRequest, workerId: string): Promise<OperationId> {
  const id = await beginOperation(db, clock, request);
  await claimOperation(db, id, workerId, clock.now());
  return id;
}

async function busy(db: DatabaseTransaction, projectId: ProjectId): Promise<FluxError> {
  const other = await findUnfinishedOperation(db, projectId);
  const what = other === undefined ? 'An operation' : `${describe(other.kind)} (${other.id})`;
  return new FluxError('busy', `${what} of this project is already running, and two at once could spoil each other.`, {
    hint: 'Wait for it to end (`flux backup list` shows how it went), then run the command again.',
    details: { operationId: other?.id, kind: other?.kind, startedAt: other?.started_at?.toISOString() },
  });
}

const NAMES: Record<OperationKind, string> = {
  backup_create: 'A backup create',
  backup_verify: 'A backup verify',
  backup_restore: 'A restore',
  push: 'A push',
  migrate: 'A migration to another engine',
  nuke: 'A removal',
  reset: 'A reset',
  kept_expire: 'The removal of what a restore had replaced',
};

function describe(kind: OperationKind): string {
  return NAMES[kind];
}
