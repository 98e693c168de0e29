import { readOnlyError } from '../catalog/version.ts';
import { CarriedOperations } from '../operations/carried.ts';
import type { Lease } from '../operations/lease.ts';
import type { JobQueue } from '../worker/queue.ts';

/** The lease and the queue of a server that only reads the catalog: whoever needs one is told why there is none. */
export function createReadOnlyParts(): { readonly lease: Lease; readonly queue: JobQueue } {
  const refuse = async (): Promise<never> => {
    throw readOnlyError();
  };
  return {
    lease: {
      held: () => {
        throw readOnlyError();
      },
      isHeld: () => false,
      during: refuse,
      settled: async () => undefined,
      onRegained: () => undefined,
      givenUp: new AbortController().signal,
      carried: new CarriedOperations(),
      close: async () => undefined,
    },
    queue: { enqueue: refuse, work: refuse, everyMinute: refuse, close: async () => undefined },
  };
}
