import { FluxError, toProblem } from '@flux/contract/errors';
import { failUnfinishedBackups } from '../../catalog/backups.ts';
import { endOperation, listUnfinishedOperations } from '../../catalog/operations.ts';
import { isWorkerAlive } from '../../catalog/worker-lease.ts';
import type { Adoption, ReconcileDeps } from './adoption.ts';

/**
 * Operations that an old catalog says are under way. They have ended long ago, and begun again they might destroy what has been made since;
 * their files are left alone for the same reason.
 */
export async function examineOperations({ catalog, clock }: ReconcileDeps): Promise<readonly Adoption[]> {
  const unfinished: Awaited<ReturnType<typeof listUnfinishedOperations>>[number][] = [];
  for (const operation of await listUnfinishedOperations(catalog.db))
    if (operation.lockKey === null || !(await isWorkerAlive(catalog, operation.lockKey))) unfinished.push(operation);
  if (unfinished.length === 0) return [];
  return [
    {
      found: `${unfinished.length} operations are under way by the catalog (${unfinished.map(({ kind }) => kind).join(', ')}); they will not be begun again.`,
      apply: () =>
        catalog.db.transaction().execute(async (db) => {
          const failure = new FluxError('interrupted', 'The catalog was put back to a time when this was under way.', {
            hint: 'Run the command again if it is still wanted.',
          });
          for (const operation of unfinished) {
            await endOperation(db, operation, { state: 'failed', error: toProblem(failure) }, clock.now());
            await failUnfinishedBackups(db, operation.id, failure.message);
          }
        }),
    },
  ];
}
