import { FluxError, isFluxError, toProblem } from '@flux/contract/errors';
import type { OperationId } from '@flux/contract/ids';
import type { Progress } from '@flux/contract/operation';
import type { Catalog } from '../catalog/open.ts';
import { claimOperation, finishOperation, type OperationRow, recordProgress } from '../catalog/operations.ts';
import type { Clock } from '../system/clock.ts';
import type { Log } from '../system/log.ts';
import type { HeldLease, Lease } from './lease.ts';

/** What the work of an operation is given. */
export interface OperationContext {
  readonly operation: OperationRow;
  /** Aborted when somebody cancels, when the control plane stops, or when our claim to be alive is lost. */
  readonly signal: AbortSignal;
  /** Tells how far the work is; cheap to call often, since only a few a second are recorded. */
  progress(progress: Progress): void;
}

/** The work of one kind of operation. Its value becomes the operation's result. */
export type OperationWork = (context: OperationContext) => Promise<object>;

export interface OperationRunner {
  readonly catalog: Catalog;
  readonly clock: Clock;
  readonly log: Log;
  readonly lease: Lease;
  /** Aborted when this process must let go of all its work. */
  readonly stopping: AbortSignal;
}

const PROGRESS_EVERY_MS = 250;
/** An error of a server may carry a whole statement; it is recorded in the catalog. */
const MAX_REASON_CHARACTERS = 8000;

/**
 * Takes a queued operation, does its work and records how it ended. Never throws for a failure of the work: that is recorded
 * and told through the operation. Nothing happens when the operation is not queued any more.
 */
export async function runOperation(runner: OperationRunner, id: OperationId, work: OperationWork): Promise<void> {
  await runner.lease.during((held) => runUnder(held, runner, id, work));
}

async function runUnder(held: HeldLease, runner: OperationRunner, id: OperationId, work: OperationWork): Promise<void> {
  const { catalog, clock, log } = runner;
  const operation = await claimOperation(catalog.db, id, held.workerId, clock.now());
  if (operation === undefined) return;
  const cancelled = new AbortController();
  const stopListening = catalog.listener.on(
    'flux_cancel',
    (key) => key === id && cancelled.abort(new FluxError('cancelled', 'The operation was cancelled.')),
  );
  const stopping = AbortSignal.any([runner.stopping, held.lost]);
  const signal = AbortSignal.any([cancelled.signal, stopping]);
  const reporter = createReporter(catalog, id, log);
  try {
    const result = await work({ operation, signal, progress: reporter.report });
    await reporter.settle();
    await finishOperation(catalog.db, id, { state: 'succeeded', result }, clock.now());
  } catch (error) {
    await reporter.settle();
    const known = describeFailure(error, cancelled.signal, stopping);
    if (known.code === 'internal') log.error({ err: error, operation: id, kind: operation.kind }, 'operation failed by a defect');
    else log.info({ operation: id, kind: operation.kind, code: known.code }, 'operation failed');
    await finishOperation(
      catalog.db,
      id,
      { state: known.code === 'cancelled' ? 'cancelled' : 'failed', error: toProblem(known) },
      clock.now(),
    );
  } finally {
    stopListening();
  }
}

/** What a failure is called: an abort of ours keeps its reason, whatever the work threw when it was interrupted. */
export function describeFailure(error: unknown, cancelled: AbortSignal, stopping: AbortSignal): FluxError {
  if (cancelled.aborted) return cancelled.reason as FluxError;
  if (stopping.aborted) {
    return new FluxError('interrupted', 'The control plane stopped while this was running.', {
      hint: 'Run the command again.',
      cause: error,
    });
  }
  if (isFluxError(error)) return error;
  const reason = (error instanceof Error ? error.message : String(error)).slice(0, MAX_REASON_CHARACTERS);
  return new FluxError('internal', `Flux met an error that it does not know: ${reason}`, {
    hint: 'Run the command again; when it happens again, report it with the log of the control plane.',
    cause: error,
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
      // Progress is for eyes only: losing a line must not fail the work.
      writing = writing
        .then(() => recordProgress(catalog.db, id, progress))
        .catch((error) => log.warn({ err: error, operation: id }, 'progress was not recorded'));
    },
    settle: () => writing,
  };
}
