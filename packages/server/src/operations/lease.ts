import { FluxError } from '@flux/contract/errors';
import type { Catalog } from '../catalog/open.ts';
import { takeWorkerLease, type WorkerLease } from '../catalog/worker-lease.ts';
import { createBackOff } from '../system/back-off.ts';
import type { Log } from '../system/log.ts';
import { CarriedOperations } from './carried.ts';

/** What work runs under: the id of the worker, what it found under way, the signal that the lease is lost, and the cancelled operations. */
export type HeldLease = Pick<WorkerLease, 'workerId' | 'inherited' | 'lost' | 'onCancelRequested'>;

/** This process's claim to be alive, renewed when it is lost: a short outage of the catalog must not end a control plane. */
export interface Lease {
  /** @throws FluxError `catalog_unavailable` while there is none: no operation may start then */
  held(): HeldLease;
  isHeld(): boolean;
  /**
   * Does some work under the current lease. A new lease is not taken before the work has ended, because every worker, this one included,
   * then ends what was recorded under the old one; so the work MUST end soon after `lost`.
   *
   * @throws FluxError `catalog_unavailable` while no lease is held
   */
  during<T>(work: (held: HeldLease) => Promise<T>): Promise<T>;
  /** Resolves when no work is under way, or when the time is over. */
  settled(withinMs: number): Promise<void>;
  /** Calls back each time a new lease has been taken. */
  onRegained(callback: () => void): void;
  /** Aborted, with a FluxError, when work under a lost lease does not end, so that no new one can be taken: then the process must end. */
  readonly givenUp: AbortSignal;
  /** The operations that this process works at, under this lease or one before. */
  readonly carried: CarriedOperations;
  close(): Promise<void>;
}

/** Pauses between attempts to take a new lease, and how long work under the old one may take to end. */
const RETAKE = { firstMs: 250, ceilingMs: 2000, workEndsWithinMs: 60_000 };

/** Takes the lease, and renews it whenever it is lost, however long the catalog is away. */
export async function keepLease(
  catalog: Catalog,
  log: Log,
  home: string | null,
  workEndsWithinMs = RETAKE.workEndsWithinMs,
): Promise<Lease> {
  const underway = new Set<Promise<unknown>>();
  const regained = new Set<() => void>();
  const givenUp = new AbortController();
  const closing = new AbortController();
  let current: WorkerLease | undefined;

  const hold = (lease: WorkerLease) => {
    current = lease;
    const replace = () => void replaceLost();
    lease.lost.addEventListener('abort', replace, { once: true });
    // It may have been lost between the last answer and the line above.
    if (lease.lost.aborted) replace();
  };

  const replaceLost = async () => {
    current = undefined;
    if (closing.signal.aborted) return;
    log.warn('the lease of this worker is lost; its operations are ended and a new lease is taken');
    const closed = closing.signal;
    try {
      await orAborted(Promise.allSettled(underway), AbortSignal.any([closed, AbortSignal.timeout(workEndsWithinMs)]));
    } catch (error) {
      if (closed.aborted) return;
      givenUp.abort(
        new FluxError(
          'catalog_unavailable',
          `The lease of this worker was lost, and its work did not end within ${workEndsWithinMs / 1000} s.`,
          {
            hint: 'Start the control plane again when the catalog database answers.',
            cause: error,
          },
        ),
      );
      return;
    }
    try {
      hold(await orAborted(retake(closed), closed));
    } catch {
      // Closed meanwhile.
      return;
    }
    log.info('a new lease was taken');
    for (const callback of regained) callback();
  };

  const retake = async (closed: AbortSignal): Promise<WorkerLease> => {
    const backOff = createBackOff(RETAKE.firstMs, RETAKE.ceilingMs);
    for (;;) {
      try {
        const lease = await takeWorkerLease(catalog, home);
        if (!closed.aborted) return lease;
        await lease.close();
      } catch (error) {
        log.debug({ err: error }, 'no new lease could be taken yet');
      }
      closed.throwIfAborted();
      await orAborted(new Promise((resolve) => setTimeout(resolve, backOff.next())), closed);
    }
  };

  const held = (): HeldLease => {
    if (current !== undefined) return current;
    throw new FluxError('catalog_unavailable', 'The control plane has lost its lease in the catalog and is taking a new one.', {
      hint: 'Try again in a moment.',
    });
  };

  hold(await takeWorkerLease(catalog, home));
  return {
    held,
    isHeld: () => current !== undefined,
    during: async (work) => {
      const running = work(held());
      underway.add(running);
      try {
        return await running;
      } finally {
        underway.delete(running);
      }
    },
    settled: async (withinMs) => {
      await orAborted(Promise.allSettled(underway), AbortSignal.timeout(withinMs)).catch(() => undefined);
    },
    onRegained: (callback) => void regained.add(callback),
    givenUp: givenUp.signal,
    carried: new CarriedOperations(),
    close: async () => {
      closing.abort();
      await current?.close();
    },
  };
}

/** The value of a promise, unless the signal is aborted first. */
async function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  let abort = () => {};
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
