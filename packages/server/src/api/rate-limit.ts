import { FluxError } from '@flux/contract/errors';

/** How many requests somebody may send. Each key has a bucket that fills evenly, so that a burst is served and a flood is not. */
export interface RateLimit {
  /** Counts a request. @throws FluxError `rate_limited`, with `retryAfterSeconds`, when there were too many of this key */
  take(key: string): void;
}

const MINUTE_MS = 60_000;
/** Addresses and tokens that are remembered; the oldest is forgotten first. */
const MAX_KEYS = 10_000;

/**
 * Counts in memory.
 *
 * @param perMinute how many a minute, and how many at once after a pause; undefined for no limit
 * @param now a clock that never goes back, in milliseconds
 */
export function createRateLimit(perMinute: number | undefined, now: () => number = () => performance.now()): RateLimit {
  if (perMinute === undefined) return { take: () => undefined };
  const buckets = new Map<string, { left: number; at: number }>();
  return {
    take: (key) => {
      const at = now();
      const before = buckets.get(key) ?? { left: perMinute, at };
      const left = Math.min(perMinute, before.left + ((at - before.at) * perMinute) / MINUTE_MS);
      // Deleted first, so that the order is that of the last request.
      buckets.delete(key);
      if (buckets.size >= MAX_KEYS) buckets.delete(buckets.keys().next().value as string);
      buckets.set(key, { left: left < 1 ? left : left - 1, at });
      if (left >= 1) return;
      const retryAfterSeconds = Math.max(1, Math.ceil(((1 - left) * MINUTE_MS) / perMinute / 1000));
      throw new FluxError('rate_limited', `Too many requests: more than ${perMinute} a minute. Wait ${retryAfterSeconds} s.`, {
        hint: 'Send fewer, or wait for events instead of asking again and again. FLUX_RATE_LIMIT of the control plane is the limit.',
        details: { retryAfterSeconds },
      });
    },
  };
}
