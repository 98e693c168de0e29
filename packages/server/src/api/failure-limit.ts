import { FluxError } from '@flux/contract/errors';
import type { Clock } from '../system/clock.ts';

/** Slows down the guessing of tokens: after too many failures an address has to wait. */
export interface FailureLimit {
  /** Counts a wrong token. @throws FluxError `rate_limited` when there were too many from this address */
  countOrRefuse(address: string): void;
}

const WINDOW_MS = 60_000;
const MAX_FAILURES = 30;
const MAX_ADDRESSES = 10_000;

/** Counts in memory: a restart resets the counts, which is acceptable with 128-bit tokens. */
export function createFailureLimit(clock: Clock): FailureLimit {
  const windows = new Map<string, { startedAt: number; failures: number }>();
  const current = (address: string) => {
    const now = clock.now().getTime();
    const found = windows.get(address);
    if (found !== undefined && now - found.startedAt < WINDOW_MS) return found;
    if (windows.size >= MAX_ADDRESSES) windows.clear();
    const fresh = { startedAt: now, failures: 0 };
    windows.set(address, fresh);
    return fresh;
  };
  return {
    countOrRefuse: (address) => {
      const found = current(address);
      found.failures += 1;
      if (found.failures <= MAX_FAILURES) return;
      const retryAfterSeconds = Math.max(1, Math.ceil((found.startedAt + WINDOW_MS - clock.now().getTime()) / 1000));
      throw new FluxError('rate_limited', `Too many requests with a wrong token; wait ${retryAfterSeconds} s.`, {
        hint: 'Log in again with `flux login`.',
        details: { retryAfterSeconds },
      });
    },
  };
}
