import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { Turns } from './turns.ts';

const times = { ownMs: 100, waitMs: 1000 };

it('ends one that has had its time when another one waits, and never the half that began first', async () => {
  const turns = new Turns(() => 4, times);
  const running = [];
  for (let n = 0; n < 4; n++) running.push(await turns.take('a'));
  const began = performance.now();
  for (let n = 0; n < 3; n++) {
    using _turn = await turns.take('b');
    await delay(5);
  }
  expect(performance.now() - began).toBeLessThan(500);
  expect(running.map(({ ended }) => ended.aborted)).toEqual([false, false, false, true]);
  await turns.take('b');
  await turns.take('b');
  expect(running.slice(0, 2).map(({ ended }) => ended.aborted)).toEqual([false, false]);
  expect(running[3]?.ended.reason).toMatchObject({ code: 'instance_unavailable', details: { retryAfterSeconds: 60 } });
});

it('lets whoever has fewest come first', async () => {
  const turns = new Turns(() => 2, times);
  await turns.take('a');
  const last = await turns.take('a');
  const order: string[] = [];
  const waiting = ['a', 'a', 'b'].map((by) => turns.take(by).then((turn) => [order.push(by), turn] as const));
  last[Symbol.dispose]();
  await Promise.all(waiting);
  expect(order[0]).toBe('b');
});

it('says so when nobody ends in time, and takes what leaves from those who wait', async () => {
  const turns = new Turns(() => 1, { ownMs: 60_000, waitMs: 50 });
  const one = await turns.take('a');
  await expect(turns.take('b')).rejects.toMatchObject({ code: 'instance_unavailable', details: { retryAfterSeconds: 15 } });
  const leaving = new AbortController();
  const left = turns.take('b', leaving.signal);
  leaving.abort(new Error('not wanted any more'));
  await expect(left).rejects.toThrow('not wanted any more');
  one[Symbol.dispose]();
  (await turns.take('c'))[Symbol.dispose]();
});
