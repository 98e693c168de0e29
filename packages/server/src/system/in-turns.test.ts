import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { inTurns } from './in-turns.ts';

it('does as much at once as it may, and keeps the order', async () => {
  let now = 0;
  let most = 0;
  const results = await inTurns([5, 1, 3, 2, 4, 1], 3, async (ms) => {
    most = Math.max(most, ++now);
    await delay(ms);
    now -= 1;
    return ms * 2;
  });
  expect(results).toEqual([10, 2, 6, 4, 8, 2]);
  expect(most).toBe(3);
});

it('rejects as the first failure', async () => {
  await expect(inTurns([1, 2], 2, async (n) => (n === 2 ? Promise.reject(new Error('two')) : n))).rejects.toThrow('two');
});
