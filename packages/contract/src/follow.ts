import type { FluxClient, Patience } from './client.ts';
import { ERROR_KINDS, FluxError, isFluxError } from './errors.ts';
import type { Operation, OperationAnswer, Progress } from './operation.ts';
import type { OperationKind } from './operation-kind.ts';
import type { AbortSignalLike } from './transport.ts';

/** How to follow an operation. */
export interface FollowOptions extends Patience {
  readonly onProgress: (progress: Progress) => void;
  readonly signal?: AbortSignalLike | undefined;
}

const FINAL = new Set<OperationAnswer['state']>(['succeeded', 'failed', 'cancelled']);

/**
 * Follows an operation until it ends: over the event stream, resumed with Last-Event-ID each time it breaks, and by asking for
 * the state between two streams, so that it also works behind a proxy that buffers the events.
 *
 * @returns the operation in a final state, whether or not it succeeded
 * @throws FluxError `lost_contact` when nothing answered for `timeoutMs`; errors that a retry cannot fix are passed on at once
 */
export async function followOperation<K extends OperationKind>(
  client: FluxClient,
  started: Operation<K>,
  options: FollowOptions,
): Promise<Operation<K>> {
  if (FINAL.has(started.state)) return started;
  let lastSeq: number | null = null;
  let pause = 250;
  let lastContact = Date.now();
  let isLost = false;

  const contact = (): void => {
    lastContact = Date.now();
    if (isLost) options.onContactLost?.(false);
    isLost = false;
  };
  const broken = (error: unknown): void => {
    if (options.signal?.aborted === true || !isTransient(error)) throw error;
    if (Date.now() - lastContact > options.timeoutMs) {
      throw new FluxError('lost_contact', `Contact with ${client.base} was lost; the operation may still be running there.`, {
        cause: error,
      });
    }
    if (!isLost) options.onContactLost?.(true);
    isLost = true;
  };

  for (;;) {
    let ended: OperationAnswer | undefined;
    try {
      for await (const event of client.events(started.id, lastSeq, options.signal)) {
        contact();
        pause = 250;
        lastSeq = event.seq;
        if (event.kind === 'progress') options.onProgress(event.progress);
        else if (FINAL.has(event.operation.state)) ended = event.operation;
        if (ended !== undefined) break;
      }
    } catch (error) {
      broken(error);
    }
    if (ended !== undefined) return requireKind(ended, started);
    try {
      const operation = await client.call('getOperation', { params: { id: started.id }, signal: options.signal, idleMs: 10_000 });
      contact();
      if (FINAL.has(operation.state)) ended = operation;
      else if (operation.progress !== null) options.onProgress(operation.progress);
    } catch (error) {
      broken(error);
    }
    if (ended !== undefined) return requireKind(ended, started);
    await options.delay(pause);
    if (options.signal?.aborted === true) throw options.signal.reason;
    pause = Math.min(pause * 2, 2_000);
  }
}

/** The operation as one of the kind that was started. @throws FluxError `internal` when the control plane answered with another kind */
function requireKind<K extends OperationKind>(operation: OperationAnswer, started: Operation<K>): Operation<K> {
  if (isSameKind(operation, started)) return operation;
  throw new FluxError('internal', `The control plane answered with an operation of kind ${operation.kind}, not ${started.kind}.`);
}

function isSameKind<K extends OperationKind>(
  operation: OperationAnswer,
  { kind }: Operation<K>,
): operation is Operation<K> & OperationAnswer {
  return operation.kind === kind;
}

/** Whether a retry may succeed: a network error, or a control plane that is restarting. */
function isTransient(error: unknown): boolean {
  return isFluxError(error) && ERROR_KINDS[error.code].retry === 'later';
}
