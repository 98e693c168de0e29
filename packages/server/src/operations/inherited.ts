import { FluxError } from '@flux/contract/errors';
import type { EngineKind } from '@flux/contract/labels';
import { listUnfinishedOperations } from '../catalog/operations.ts';
import { hasEarlierWorker } from '../catalog/worker-lease.ts';
import type { BoundOperation } from './define.ts';
import type { RecoverDeps } from './recover.ts';
import { openOrder, recordFailure } from './run.ts';

/**
 * Ends what waits for a worker, replaces or moves data, and is of engines whose data could not be compared with the catalog. In an old copy of
 * the catalog it may have ended, or been cancelled, long ago, and nothing has shown that this is none. What is begun again after the loss of
 * a worker waits on: it makes something, or its removals lie in the trash for a time. While another server works that has been started long before, the catalog is no old copy.
 */
export async function endInherited(
  deps: RecoverDeps,
  kinds: ReadonlyMap<string, BoundOperation>,
  engines: readonly EngineKind[],
): Promise<void> {
  const { catalog, clock, lease, log } = deps;
  if (engines.length === 0 || (await hasEarlierWorker(catalog, lease.held().workerId))) return;
  const failure = new FluxError(
    'interrupted',
    'The control plane was started while this waited, and could not see how old its catalog is.',
    {
      hint: 'See `flux doctor`; then run the command again if it is still wanted.',
    },
  );
  for (const operation of await listUnfinishedOperations(catalog.db)) {
    const bound = kinds.get(operation.kind);
    if (operation.state !== 'queued' || bound?.afterWorkerLoss !== 'end') continue;
    const order = await openOrder(catalog, bound, operation).catch(() => undefined);
    if (order !== undefined && !engines.includes(order.project.engine)) continue;
    const cleanUp = await catalog.db.transaction().execute((db) => recordFailure(db, bound, operation, order, failure, clock.now()));
    log.warn(
      { operation: operation.id, kind: operation.kind },
      'an operation that waited was ended: its data could not be compared with the catalog',
    );
    await cleanUp?.().catch((problem) =>
      log.error({ err: problem, operation: operation.id }, 'the remains of an operation could not be removed'),
    );
  }
}
