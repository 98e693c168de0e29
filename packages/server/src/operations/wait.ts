import { FluxError } from '@flux/contract/errors';
import type { OperationId } from '@flux/contract/ids';
import type { Catalog } from '../catalog/open.ts';
import { findOperation, type OperationRow } from '../catalog/operations.ts';

export type { OperationRow };

const CHECK_EVERY_MS = 1000;

/** Whether an operation has ended. */
export function isFinished(operation: OperationRow): boolean {
  return operation.finished_at !== null;
}

/** An operation as it is now. @throws FluxError `operation_not_found` */
export async function readOperation(catalog: Catalog, id: OperationId): Promise<OperationRow> {
  const operation = await findOperation(catalog.db, id);
  if (operation === undefined) throw new FluxError('operation_not_found', `There is no operation ${id}.`);
  return operation;
}

/**
 * Resolves with the operation when it has ended, or with its current state when the signal is aborted. Reacts to a notification,
 * and also checks every second, since a notification may be missed.
 */
export async function waitForOperation(catalog: Catalog, id: OperationId, signal?: AbortSignal): Promise<OperationRow> {
  for (;;) {
    // Listening begins before the check, or an end between the two would be missed.
    const heard = catalog.listener.wait('flux_operation', id, CHECK_EVERY_MS, signal);
    const operation = await readOperation(catalog, id);
    if (isFinished(operation) || signal?.aborted) return operation;
    await heard;
  }
}
