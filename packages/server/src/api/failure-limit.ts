import { FluxError } from '@flux/contract/errors';
import type { Clock } from '../system/clock.ts';

/** Slows down the guessing of tokens: after too many failures an address has to wait. */
export interface FailureLimit {
  /** Counts a wrong token. @throws FluxError `rate_limited` when there were too many from this address */
  countOrRefuse(address: string): void;
  /** Whether there were too many from this address. */
  isOver(address: string): boolean;
  /**
   * Of an address with too many failures, only a few tokens a second are worth a look: behind a proxy everybody has the same address, and a
   * valid token must get through. @throws FluxError `rate_limited` when it is not the turn of this one
   */
  requireTurn(address: string): void;
}

const WINDOW_MS = 60_000;
const MAX_FAILURES = 30;
const MAX_ADDRESSES = 10_000;
/** Between two tokens of an address with too many failures. */
const TURN_MS = 100;

/** Counts in memory: a restart resets the counts, which is acceptable with 128-bit tokens. */
export function createFailureLimit(clock: Clock): FailureLimit {
  const windows = new Map<string, { startedAt: number; failures: number; turnAt: number }>();
  const current = (address: string) => {
    const now = clock.now().getTime();
    const found = windows.get(address);
    if (found !== undefined && now - found.startedAt < WINDOW_MS) return found;
    if (windows.size >= MAX_ADDRESSES) windows.clear();
    const fresh = { startedAt: now, failures: 0, turnAt: 0 };
    windows.set(address, fresh);
    return fresh;
  };
  const over = (address: string) => {
    const found = windows.get(address);
    const isOver = found !== undefined && found.failures > MAX_FAILURES && clock.now().getTime() - found.startedAt < WINDOW_MS;
    return isOver ? found : undefined;
  };
  const refusal = ({ startedAt }: { startedAt: number }) => {
    const retryAfterSeconds = Math.max(1, Math.ceil((startedAt + WINDOW_MS - clock.now().getTime()) / 1000));
    return new FluxError('rate_limited', `Too many requests with a wrong token came from this address; wait ${retryAfterSeconds} s.`, {
      hint: 'If this token may be wrong, log in again with `flux login`.',
      details: { retryAfterSeconds },
    });
  };
  return {
    countOrRefuse: (address) => {
      const found = current(address);
      found.failures += 1;
      if (found.failures > MAX_FAILURES) throw refusal(found);
    },
    isOver: (address) => over(address) !== undefined,
    requireTurn: (address) => {
      const now = clock.now().getTime();
      const found = over(address);
      if (found === undefined) return;
      if (Math.abs(now - found.turnAt) < TURN_MS) throw refusal(found);
      found.turnAt = now;
    },
  };
}
