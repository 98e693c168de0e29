import { isFluxError } from '@flux/contract/errors';
import { expect, it } from 'vitest';
import { createRateLimit } from './rate-limit.ts';

it('serves a burst, refuses a flood, says how long to wait, and keeps senders apart', () => {
  let now = 0;
  const limit = createRateLimit(60, () => now);
  for (let count = 0; count < 60; count++) limit.take('a');
  const refused = () => {
    try {
      limit.take('a');
    } catch (error) {
      if (isFluxError(error, 'rate_limited')) return error.details.retryAfterSeconds;
    }
    return undefined;
  };
  expect(refused()).toBe(1);
  limit.take('b');
  now += 999;
  expect(refused()).toBe(1);
  now += 2;
  expect(refused()).toBeUndefined();
  expect(refused()).toBe(1);
});

it('remembers a bounded number of senders', () => {
  const limit = createRateLimit(1, () => 0);
  for (let count = 0; count <= 10_000; count++) limit.take(String(count));
  limit.take('0');
  expect(() => limit.take('10000')).toThrow('Too many requests');
});

it('can be off', () => {
  const limit = createRateLimit(undefined);
  for (let count = 0; count < 100_000; count++) limit.take('a');
});
