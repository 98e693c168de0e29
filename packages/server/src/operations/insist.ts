import { setTimeout as pause } from 'node:timers/promises';
import { isFluxError } from '@flux/contract/errors';
import { createBackOff } from '../system/back-off.ts';

/** Pauses between attempts. */
const RETRY = { firstMs: 250, ceilingMs: 5000 };

/**
 * Records something, and tries again while the catalog is unavailable. The end of an operation needs this: as long as its lease is held nobody
 * else ends it, so one whose end is not recorded would block its project.
 *
 * @param until ends it: the lease is lost, or the process stops
 * @param record is told whether an attempt before may have been committed without an answer
 * @throws what the last attempt threw
 */
export async function insist<T>(until: AbortSignal, record: (isAgain: boolean) => Promise<T>): Promise<T> {
  const backOff = createBackOff(RETRY.firstMs, RETRY.ceilingMs);
  for (let isAgain = false; ; isAgain = true) {
    try {
      return await record(isAgain);
    } catch (error) {
      if (until.aborted || !isFluxError(error, 'catalog_unavailable')) throw error;
      await pause(backOff.next(), undefined, { signal: until }).catch(() => Promise.reject(error));
    }
  }
}
