import { FluxError } from '@flux/contract/errors';
import type { EngineKind } from '@flux/contract/labels';
import { listUnfinishedOperations } from '../catalog/operations.ts';
import { hasEarlierWorker } from '../catalog/worker-lease.ts';
import type { BoundOperation } from './define.ts';
import type { RecoverDeps } from './recover.ts';
import { openOrder, recordFailure } from './run.ts';

/**
 * Ends what is queued, may replace or move data, and belongs to an engine whose data could not be compared with the catalog. In an old copy of
 * the catalog it may have ended, or been cancelled, long ago, and nothing has shown that this is not such a copy. What is restarted after the
 * loss of a worker stays queued: it makes something, or what it removes lies in the trash for a time. While a server works that was started
 * long before this one, the catalog is not an old copy.
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
