import type { FluxClient } from './client.ts';
import { ERROR_KINDS, FluxError, isFluxError } from './errors.ts';
import type { OperationAnswer, Progress } from './operation.ts';
import type { AbortSignalLike } from './transport.ts';

/** How to follow an operation. */
export interface FollowOptions {
  readonly onProgress: (progress: Progress) => void;
  /** Called when contact breaks, and again with false when it is back. */
  readonly onContactLost?: (isLost: boolean) => void;
  readonly signal?: AbortSignalLike | undefined;
  readonly delay: (ms: number) => Promise<void>;
  /** Milliseconds without any contact after which to give up. */
  readonly patienceMs: number;
}

const FINAL = new Set<OperationAnswer['state']>(['succeeded', 'failed', 'cancelled']);

/**
 * Follows an operation to its end: over the event stream, resuming it with Last-Event-ID each time it breaks, and asking for
 * the state between two streams, so that it also ends where a proxy keeps the events back.
 *
 * @returns the operation in a final state; whether it succeeded is for the caller to say
 * @throws FluxError `lost_contact` when nothing answered for `patienceMs`; errors that time does not heal come as they are
 */
export async function followOperation(client: FluxClient, started: OperationAnswer, options: FollowOptions): Promise<OperationAnswer> {
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
    if (options.signal?.aborted === true || !isPassing(error)) throw error;
    if (Date.now() - lastContact > options.patienceMs) {
      throw new FluxError('lost_contact', `Contact with ${client.base} was lost; the work may still be going on there.`, { cause: error });
    }
    if (!isLost) options.onContactLost?.(true);
    isLost = true;
  };

  for (;;) {
    try {
      for await (const event of client.events(started.id, lastSeq, options.signal)) {
        contact();
        pause = 250;
        lastSeq = event.seq;
        if (event.kind === 'progress') options.onProgress(event.progress);
        else if (FINAL.has(event.operation.state)) return event.operation;
      }
    } catch (error) {
      broken(error);
    }
    try {
      const operation = await client.call('getOperation', { params: { id: started.id }, signal: options.signal, idleMs: 10_000 });
      contact();
      if (FINAL.has(operation.state)) return operation;
      if (operation.progress !== null) options.onProgress(operation.progress);
    } catch (error) {
      broken(error);
    }
    await options.delay(pause);
    if (options.signal?.aborted === true) throw options.signal.reason;
    pause = Math.min(pause * 2, 2_000);
  }
}

/** Whether the same question may get an answer later: the network, or a control plane that is starting again. */
function isPassing(error: unknown): boolean {
  return isFluxError(error) && ERROR_KINDS[error.code].retry === 'later';
}
