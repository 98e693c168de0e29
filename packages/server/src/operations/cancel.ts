import { FluxError } from '@flux/contract/errors';
import { findOperation, type OperationRow, requestCancel } from '../catalog/operations.ts';
import type { BoundOperation } from './define.ts';
import { openOrder, type RunDeps, recordFailure } from './run.ts';

/**
 * Cancels an operation. A queued one ends at once, a running one as soon as its work reacts; an ended one stays as it is. The request
 * is recorded in the row, where the worker's next heartbeat finds it even if every notification is lost.
 */
export async function cancelOperation(
  { catalog, clock }: Pick<RunDeps, 'catalog' | 'clock'>,
  kinds: ReadonlyMap<string, BoundOperation>,
  operation: OperationRow,
): Promise<OperationRow> {
  const before = await requestCancel(catalog.db, operation.id, clock.now());
  if (before === 'queued') {
    const failure = new FluxError('cancelled', 'The operation was cancelled before it began.');
    const bound = kinds.get(operation.kind);
    const order = bound === undefined ? undefined : await openOrder(catalog, bound, operation).catch(() => undefined);
    const waiting = { id: operation.id, worker_id: null, started_at: null };
    const cleanUp = await catalog.db.transaction().execute((db) => recordFailure(db, bound, waiting, order, failure, clock.now()));
    await cleanUp?.();
  }
  return (await findOperation(catalog.db, operation.id)) ?? operation;
}
