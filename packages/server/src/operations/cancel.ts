import { FluxError, toProblem } from '@flux/contract/errors';
import type { Catalog } from '../catalog/open.ts';
import { findOperation, finishOperation, type OperationRow, requestCancel } from '../catalog/operations.ts';
import type { Clock } from '../system/clock.ts';

/** Asks an operation to end. A queued one ends at once, a running one as soon as its work lets go; an ended one stays as it is. */
export async function cancelOperation(
  { catalog, clock }: { readonly catalog: Catalog; readonly clock: Clock },
  operation: OperationRow,
): Promise<OperationRow> {
  const before = await requestCancel(catalog.db, operation.id, clock.now());
  if (before === 'queued') {
    const error = new FluxError('cancelled', 'The operation was cancelled before it began.');
    await catalog.db.transaction().execute(async (db) => {
      if (!(await finishOperation(db, operation.id, { state: 'cancelled', error: toProblem(error) }, clock.now()))) return;
      if (operation.kind !== 'backup_create' || operation.backup_id === null) return;
      await db.updateTable('backups').set({ status: 'failed', failure: error.message }).where('id', '=', operation.backup_id).execute();
    });
  }
  return (await findOperation(catalog.db, operation.id)) ?? operation;
}
