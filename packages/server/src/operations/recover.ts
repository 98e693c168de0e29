import { FluxError, isFluxError } from '@flux/contract/errors';
import { listUnfinishedOperations, requeueOperation } from '../catalog/operations.ts';
import { isWorkerAlive } from '../catalog/worker-lease.ts';
import type { BoundOperation, Order } from './define.ts';
import { openOrder, type RunDeps, recordFailure } from './run.ts';

export type RecoverDeps = Pick<RunDeps, 'catalog' | 'clock' | 'log' | 'queue'>;
type UnfinishedOperation = Awaited<ReturnType<typeof listUnfinishedOperations>>[number];

/** An operation whose workers keep dying may be what kills them. */
const MAX_ATTEMPTS = 3;

/**
 * Restarts or ends the operations of dead workers. Runs at start and periodically; safe on several servers at once, since the catalog lets each
 * step happen only once. Returns how many operations of dead workers it found.
 */
export async function recoverOperations(deps: RecoverDeps, kinds: ReadonlyMap<string, BoundOperation>): Promise<number> {
  let found = 0;
  for (const operation of await listUnfinishedOperations(deps.catalog.db)) {
    try {
      if (operation.state === 'running' && operation.lockKey !== null && !(await isWorkerAlive(deps.catalog, operation.lockKey))) {
        await takeFromDeadWorker(deps, kinds.get(operation.kind), operation);
        found += 1;
      }
    } catch (error) {
      // Without the catalog, the others fail as well.
      if (isFluxError(error, 'catalog_unavailable')) throw error;
      deps.log.error({ err: error, operation: operation.id, kind: operation.kind }, 'an operation could not be recovered');
    }
  }
  return found;
}

async function takeFromDeadWorker(deps: RecoverDeps, bound: BoundOperation | undefined, operation: UnfinishedOperation): Promise<void> {
  const { catalog, clock, log, queue } = deps;
  const { id, kind, worker_id } = operation;
  const mayRestart = bound?.afterWorkerLoss === 'restart' && operation.attempts < MAX_ATTEMPTS && operation.cancel_requested_at === null;
  const order = bound === undefined ? undefined : await openOrder(catalog, bound, operation).catch(() => undefined);
  const failure = interruptionOf(operation, bound, order);
  const cleanUp = await catalog.db.transaction().execute(async (db) => {
    if (!mayRestart || worker_id === null) return await recordFailure(db, bound, { id, workerId: worker_id }, order, failure, clock.now());
    if (await requeueOperation(db, id, worker_id, { counts: 'as an attempt' })) await queue.enqueue(db, id);
    return undefined;
  });
  log.warn({ operation: id, kind, restarted: mayRestart }, 'found an operation whose worker is dead');
  // Something that cannot be removed now must not prevent the recovery of everything else.
  await cleanUp?.().catch((problem) => log.error({ err: problem, operation: id }, 'the remains of a dead worker could not be removed'));
}

function interruptionOf(
  { attempts, cancel_requested_at }: UnfinishedOperation,
  bound: BoundOperation | undefined,
  order: Order<object> | undefined,
): FluxError {
  if (cancel_requested_at !== null) return new FluxError('cancelled', 'The operation was cancelled.');
  const often = bound?.afterWorkerLoss === 'restart' ? ` It was started ${attempts} times.` : '';
  return new FluxError('interrupted', `The control plane was stopped or killed while this was running.${often}`, {
    hint: (order === undefined ? undefined : bound?.hintAfterDeath(order.request)) ?? 'Run the command again.',
  });
}
