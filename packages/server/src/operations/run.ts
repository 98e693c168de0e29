import { FluxError, hasUnknownOutcome, isFluxError, toProblem } from '@flux/contract/errors';
import type { OperationId } from '@flux/contract/ids';
import type { Progress } from '@flux/contract/operation';
import type { OperationKind } from '@flux/contract/operation-kind';
import type { OperationResult } from '@flux/contract/operation-results';
import type { Catalog, DatabaseTransaction } from '../catalog/open.ts';
import {
  claimOperation,
  endOperation,
  findOperation,
  holdOperation,
  type OperationRow,
  type OperationRun,
  recordProgress,
  requeueOperation,
} from '../catalog/operations.ts';
import { findProjectById } from '../catalog/projects.ts';
import type { SlowerPace } from '../catalog/tables.ts';
import type { Clock } from '../system/clock.ts';
import type { Log } from '../system/log.ts';
import { answerFor } from '../system/stray-errors.ts';
import { uuidv7 } from '../system/uuid.ts';
import { type BoundOperation, bindOperation, type OperationDefinition, type Order, type Task } from './define.ts';
import { insist } from './insist.ts';
import type { HeldLease, Lease } from './lease.ts';
import { type NewOrder, type OperationQueue, recordOperation } from './request.ts';

/** What running operations needs. */
export interface RunDeps {
  readonly catalog: Catalog;
  readonly clock: Clock;
  readonly log: Log;
  readonly lease: Lease;
  readonly queue: OperationQueue;
  /** Aborted when this process must end all its work. */
  readonly stopping: AbortSignal;
}

/** Work that runs within the caller's request. */
export interface InlineOrder<Request> extends NewOrder<Request> {
  /** Runs first in the transaction that records it. What it throws is thrown, and nothing is recorded. */
  readonly beforeRecord?: (db: DatabaseTransaction) => Promise<void>;
}

/** The outcome of work that ran within the caller's request. */
export interface InlineOutcome<Result> {
  readonly id: OperationId;
  readonly result: Result;
  /** False when the work is done but its end could not be recorded: it will be shown as interrupted. */
  readonly isRecorded: boolean;
}

const PROGRESS_EVERY_MS = 250;
/** An error of a server may carry a whole statement; it is recorded in the catalog. */
const MAX_REASON_CHARACTERS = 8000;

/** What a worker has to do with an operation that it runs. */
export interface Slot {
  /** Aborted when others need the slot: the operation ends, and is queued again for slots of the pace that is the reason. */
  readonly setAside: AbortSignal;
  /** Called as soon as the operation is this worker's. */
  claimed(): void;
}

/**
 * Claims a queued operation, does its work and records its outcome. A failure of the work is recorded in the operation, not thrown.
 * Does nothing when the operation is no longer queued.
 */
export async function runQueued(deps: RunDeps, id: OperationId, bound: BoundOperation, slot: Slot): Promise<void> {
  const { lease } = deps;
  await lease.during((held) =>
    lease.carried.carry(id, async () => {
      const operation = await claimOperation(deps.catalog.db, id, held.workerId, deps.clock.now());
      if (operation === undefined) return;
      slot.claimed();
      const carried = await carryOut(deps, bound, operation, held, { callers: [], setAside: slot.setAside });
      if (carried.kind === 'done' && !carried.isRecorded)
        deps.log.error({ operation: id, kind: operation.kind }, 'the end of an operation could not be recorded');
    }),
  );
}

/**
 * Does work while its caller waits for it, as an operation like any other: recorded as running under this worker's lease,
 * cancellable, and with its outcome in the catalog.
 *
 * @throws FluxError `busy`, `catalog_unavailable`, and what the work throws
 */
export async function runInline<K extends OperationKind, Request extends object, Deps>(
  deps: RunDeps,
  definition: OperationDefinition<K, Request, Deps>,
  workDeps: Deps,
  order: InlineOrder<Request>,
  signal: AbortSignal,
): Promise<InlineOutcome<OperationResult<K>>> {
  const { catalog, clock, lease } = deps;
  const now = clock.now();
  const id = uuidv7(now) as OperationId;
  return await lease.during((held) =>
    lease.carried.carry(id, async () => {
      await catalog.db.transaction().execute(async (db) => {
        await order.beforeRecord?.(db);
        await recordOperation(db, definition, order, { id, now, workerId: held.workerId });
      });
      const row = { id, kind: definition.kind, project_id: order.project.id, backup_id: order.backupId ?? null, request: order.request };
      const run = { worker_id: held.workerId, started_at: now };
      const operation = { ...row, ...run, requested_by: order.requester.tokenId, cancel_requested_at: null };
      const ending = { callers: [signal], setAside: NEVER };
      const carried = await carryOut(deps, bindOperation(definition, workDeps), operation, held, ending);
      if (carried.kind === 'failed') throw carried.error;
      return { id, result: carried.result as OperationResult<K>, isRecorded: carried.isRecorded };
    }),
  );
}

/** The part of a row that running it needs. */
type RunningOperation = OperationRun &
  Pick<OperationRow, 'kind' | 'project_id' | 'backup_id' | 'request' | 'requested_by' | 'cancel_requested_at'>;

type Carried =
  | { readonly kind: 'done'; readonly result: object; readonly isRecorded: boolean }
  | { readonly kind: 'failed'; readonly error: FluxError };

/** Does the work of an operation that is recorded as running under our lease, and records its end. */
async function carryOut(
  deps: RunDeps,
  bound: BoundOperation,
  operation: RunningOperation,
  held: HeldLease,
  { callers, setAside }: { readonly callers: readonly AbortSignal[]; readonly setAside: AbortSignal },
): Promise<Carried> {
  const { catalog, log } = deps;
  const { id } = operation;
  const cancelled = new AbortController();
  const cancel = (key: string) => key === id && cancelled.abort(new FluxError('cancelled', 'The operation was cancelled.'));
  // The notification makes cancelling fast; the heartbeat of the lease makes it reliable.
  const stopListening = [catalog.listener.on('flux_cancel', cancel), held.onCancelRequested(cancel)];
  if (operation.cancel_requested_at !== null) cancel(id);
  const { stopping } = deps;
  const astray = new AbortController();
  const stops: Stops = {
    cancelled: cancelled.signal,
    stopping,
    lost: held.lost,
    astray: astray.signal,
    callers: AbortSignal.any([...callers]),
    setAside,
  };
  const reporter = createReporter(catalog, id, log);
  let order: Order<object> | undefined;
  try {
    order = await openOrder(catalog, bound, operation);
    const task: Task = {
      id,
      isInherited: held.inherited.has(id),
      signal: AbortSignal.any(Object.values(stops)),
      progress: reporter.report,
      requireHeld: async (db) => {
        if (!(await holdOperation(db, operation))) throw takenOver();
      },
    };
    const ready = order;
    const result = await answerFor(
      (error) => astray.abort(error),
      () => bound.run(ready, task),
    );
    await reporter.settle();
    return { kind: 'done', result, isRecorded: await recordSuccess(deps, bound, operation, order, result, held) };
  } catch (error) {
    await reporter.settle();
    const failure = describeFailure(error, stops);
    const isAside = setAside.aborted && !cancelled.signal.aborted && !stopping.aborted && !held.lost.aborted;
    const pace = isAside ? (setAside.reason as SlowerPace) : undefined;
    if (failure.code === 'internal')
      log.error({ err: error, operation: id, kind: operation.kind }, 'an operation failed because of a defect');
    else if (pace !== undefined) log.info({ operation: id, kind: operation.kind, pace }, 'operation set aside');
    else log.info({ operation: id, kind: operation.kind, code: failure.code }, 'operation failed');
    await endUnfinished(deps, bound, operation, order, { failure, pace }, held);
    return { kind: 'failed', error: failure };
  } finally {
    for (const stop of stopListening) stop();
  }
}

/** The order of a recorded operation. @throws FluxError `project_not_found`, and when the request is not understood */
export async function openOrder(catalog: Catalog, bound: BoundOperation, operation: RunningOperation): Promise<Order<object>> {
  const project = await findProjectById(catalog.db, operation.project_id);
  if (project === undefined) throw new FluxError('project_not_found', 'The project of this operation is no longer in the catalog.');
  const { requested_by: tokenId } = operation;
  const requester = { userId: tokenId === null ? null : project.owner_id, tokenId };
  return bound.parseOrder({ request: operation.request, project, backupId: operation.backup_id, requester });
}

/** @returns false when the end could not be recorded */
async function recordSuccess(
  { catalog, clock, log, stopping }: RunDeps,
  bound: BoundOperation,
  operation: RunningOperation,
  order: Order<object>,
  result: object,
  { lost }: HeldLease,
): Promise<boolean> {
  const { id, kind } = operation;
  try {
    await insist(AbortSignal.any([lost, stopping]), async (isAgain) => {
      if (isAgain && (await findOperation(catalog.db, id))?.state === 'succeeded') return;
      await catalog.db.transaction().execute(async (db) => {
        await bound.onSucceeded(db, order, result);
        if (!(await endOperation(db, operation, { state: 'succeeded', result }, clock.now()))) throw takenOver();
      });
    });
    return true;
  } catch (error) {
    log.error({ err: error, operation: id, kind }, 'the end of an operation could not be recorded');
    return false;
  }
}

/** Ends an unfinished operation; one that can be restarted is queued again when its worker was stopped. */
async function endUnfinished(
  deps: RunDeps,
  bound: BoundOperation,
  operation: RunningOperation,
  order: Order<object> | undefined,
  { failure, pace }: { readonly failure: FluxError; readonly pace: SlowerPace | undefined },
  { lost }: HeldLease,
): Promise<void> {
  const { catalog, clock, log, queue, stopping } = deps;
  const { id } = operation;
  try {
    const cleanUp = await insist(AbortSignal.any([lost, stopping]), () =>
      catalog.db.transaction().execute(async (db) => {
        if (failure.code === 'interrupted' && bound.afterWorkerLoss === 'restart') {
          if (await requeueOperation(db, operation, { counts: 'not', pace })) await queue.enqueue(db, id);
          return undefined;
        }
        return await recordFailure(db, bound, operation, order, failure, clock.now());
      }),
    );
    await cleanUp?.();
  } catch (error) {
    // The recovery ends it: nothing carries it any more.
    log.warn({ err: error, operation: id, kind: operation.kind }, 'the end of an operation could not be recorded yet');
  }
}

/** Ends an operation that is not done, with what its kind does then. Undefined also when that run of it is over. */
export async function recordFailure(
  db: Parameters<BoundOperation['onInterrupted']>[0],
  bound: BoundOperation | undefined,
  run: OperationRun,
  order: Order<object> | undefined,
  failure: FluxError,
  now: Date,
): Promise<(() => Promise<void>) | undefined> {
  const state = failure.code === 'cancelled' ? 'cancelled' : 'failed';
  if (!(await endOperation(db, run, { state, error: toProblem(failure) }, now))) return undefined;
  return order === undefined ? undefined : await bound?.onInterrupted(db, { ...order, id: run.id }, failure);
}

/** Why work may have to stop, each with a sentence of its own. */
interface Stops extends Record<string, AbortSignal> {
  readonly cancelled: AbortSignal;
  readonly stopping: AbortSignal;
  readonly lost: AbortSignal;
  /** An error escaped from a socket or a timer of the work. */
  readonly astray: AbortSignal;
  readonly callers: AbortSignal;
  readonly setAside: AbortSignal;
}

const NEVER = new AbortController().signal;

/** The error to record: an abort by Flux keeps its reason, whatever the interrupted work threw. */
function describeFailure(error: unknown, { cancelled, stopping, lost, astray, callers, setAside }: Stops): FluxError {
  // That it may be done all the same counts more than why it was interrupted.
  if (isFluxError(error) && hasUnknownOutcome(error)) return error;
  if (cancelled.aborted) return cancelled.reason as FluxError;
  if (stopping.aborted) return interrupted('The control plane stopped while this was running.', error);
  if (lost.aborted) return interrupted('The control plane lost its catalog database while this was running.', error);
  if (astray.aborted && !isFluxError(error)) return unexpected(astray.reason);
  if (setAside.aborted)
    return interrupted('It took longer than its slot could be kept while others waited, so it waits for another one.', error);
  if (callers.aborted) return new FluxError('cancelled', 'The client that asked for this has gone, so it was cancelled.', { cause: error });
  return isFluxError(error) ? error : unexpected(error);
}

function unexpected(error: unknown): FluxError {
  const reason = (error instanceof Error ? error.message : String(error)).slice(0, MAX_REASON_CHARACTERS);
  return new FluxError('internal', `Unexpected error: ${reason}`, {
    hint: 'Run the command again; if it happens again, report it with the log of the control plane.',
    cause: error,
  });
}

/** @param cause what the work threw; an `interrupted` of its own says what to do now */
function interrupted(message: string, cause: unknown): FluxError {
  const hint = isFluxError(cause, 'interrupted') ? cause.hint : undefined;
  return new FluxError('interrupted', message, { hint: hint ?? 'Run the command again.', cause });
}

function takenOver(): FluxError {
  return new FluxError('interrupted', 'This worker was cut off, and another one has taken over what it was doing.', {
    hint: 'Look at how it went before you run the command again: `flux backup list`.',
  });
}

function createReporter(catalog: Catalog, id: OperationId, log: Log) {
  let last = 0;
  let lastPhase = '';
  let writing: Promise<void> = Promise.resolve();
  return {
    report: (progress: Progress) => {
      const now = performance.now();
      if (progress.phase === lastPhase && now - last < PROGRESS_EVERY_MS) return;
      [last, lastPhase] = [now, progress.phase];
      // Progress is informational: losing a line must not fail the work.
      writing = writing
        .then(() => recordProgress(catalog.db, id, progress))
        .catch((error) => log.warn({ err: error, operation: id }, 'progress was not recorded'));
    },
    settle: () => writing,
  };
}
