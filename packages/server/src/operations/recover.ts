import { FluxError, isFluxError } from '@flux/contract/errors';
import { listUnfinishedOperations, requeueOperation } from '../catalog/operations.ts';
import { isWorkerAlive } from '../catalog/worker-lease.ts';
import type { BoundOperation, Order } from './define.ts';
import { openOrder, type RunDeps, recordFailure } from './run.ts';

export type RecoverDeps = Pick<RunDeps, 'catalog' | 'clock' | 'log' | 'queue' | 'lease'>;
type UnfinishedOperation = Awaited<ReturnType<typeof listUnfinishedOperations>>[number];

/** An operation whose workers keep dying may be what kills them. */
const MAX_ATTEMPTS = 3;

const REASONS = {
  'dead worker': 'The control plane was stopped or killed while this was running.',
  stuck: 'The catalog did not answer when this began or ended, so the control plane cannot tell how it went.',
} as const;

/** Why nobody carries an operation that is recorded as running. */
type Loss = keyof typeof REASONS;

/**
 * Restarts or ends the operations of dead workers, and those of this process that it does not work at. Runs at start and periodically; safe
 * on several servers at once, since the catalog lets each step happen only once. Returns how many it found.
 */
export async function recoverOperations(deps: RecoverDeps, kinds: ReadonlyMap<string, BoundOperation>): Promise<number> {
  const { lease } = deps;
  const running = (await listUnfinishedOperations(deps.catalog.db)).filter(({ state }) => state === 'running');
  const ownId = lease.isHeld() ? lease.held().workerId : undefined;
  const stuck = lease.carried.findStuck(running.filter(({ worker_id }) => worker_id === ownId).map(({ id }) => id));
  let found = 0;
  for (const operation of running) {
    try {
      const { id, lockKey } = operation;
      const isDead = lockKey !== null && !(await isWorkerAlive(deps.catalog, lockKey));
      if (!isDead && !stuck.has(id)) continue;
      await takeFromWorker(deps, kinds.get(operation.kind), operation, isDead ? 'dead worker' : 'stuck');
      found += 1;
    } catch (error) {
      // Without the catalog, the others fail as well.
      if (isFluxError(error, 'catalog_unavailable')) throw error;
      deps.log.error({ err: error, operation: operation.id, kind: operation.kind }, 'an operation could not be recovered');
    }
  }
  return found;
}

async function takeFromWorker(
  deps: RecoverDeps,
  bound: BoundOperation | undefined,
  operation: UnfinishedOperation,
  loss: Loss,
): Promise<void> {
  const { catalog, clock, log, queue } = deps;
  const { id, kind } = operation;
  const mayRestart = bound?.afterWorkerLoss === 'restart' && operation.attempts < MAX_ATTEMPTS && operation.cancel_requested_at === null;
  const order = bound === undefined ? undefined : await openOrder(catalog, bound, operation).catch(() => undefined);
  const failure = interruptionOf(operation, bound, order, loss);
  const cleanUp = await catalog.db.transaction().execute(async (db) => {
    if (!mayRestart) return await recordFailure(db, bound, operation, order, failure, clock.now());
    if (await requeueOperation(db, operation, { counts: 'as an attempt' })) await queue.enqueue(db, id);
    return undefined;
  });
  log.warn({ operation: id, kind, loss, restarted: mayRestart }, 'found an operation that is recorded as running and that nobody works at');
  // Something that cannot be removed now must not prevent the recovery of everything else.
  await cleanUp?.().catch((problem) =>
    log.error({ err: problem, operation: id }, 'the remains of an interrupted operation could not be removed'),
  );
}

function interruptionOf(
  { attempts, cancel_requested_at }: UnfinishedOperation,
  bound: BoundOperation | undefined,
  order: Order<object> | undefined,
  loss: Loss,
): FluxError {
  if (cancel_requested_at !== null) return new FluxError('cancelled', 'The operation was cancelled.');
  const often = bound?.afterWorkerLoss === 'restart' ? ` It was started ${attempts} times.` : '';
  return new FluxError('interrupted', `${REASONS[loss]}${often}`, {
    hint: (order === undefined ? undefined : bound?.hintAfterDeath(order.request)) ?? 'Run the command again.',
  });
}
