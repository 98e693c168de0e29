import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { boundAnswer } from './bounded-answer.ts';

const BOUNDS = { freshMs: 40, waitMs: 400, giveUpMs: 1000 };

it('asks once for many, and again when the answer is old', async () => {
  let asked = 0;
  const answer = boundAnswer(async () => ++asked, BOUNDS);
  expect(await Promise.all(Array.from({ length: 100 }, () => answer.get()))).toEqual(Array.from({ length: 100 }, () => 1));
  expect(await answer.get()).toBe(1);
  await delay(60);
  expect(await answer.get()).toBe(2);
});

it('does not give what was asked before it was told that this is not true any more', async () => {
  const answers = [Promise.withResolvers<string>(), Promise.withResolvers<string>()];
  let asked = 0;
  const answer = boundAnswer(() => (answers[asked++] as (typeof answers)[0]).promise, BOUNDS);
  const before = answer.get();
  answer.forget();
  const after = answer.get();
  answers[0]?.resolve('old');
  answers[1]?.resolve('new');
  expect(await before).toBe('old');
  expect(await after).toBe('new');
  expect(await answer.get()).toBe('new');
});

it('keeps nobody waiting for what is silent, and those who come later even less', async () => {
  const silence = Promise.withResolvers<string>();
  let signal: AbortSignal | undefined;
  const answer = boundAnswer((until) => {
    signal = until;
    return silence.promise;
  }, BOUNDS);
  const timed = async () => {
    const began = performance.now();
    const value = await answer.get();
    return { value, ms: performance.now() - began };
  };
  const first = await timed();
  expect(first.value).toBeUndefined();
  expect(first.ms).toBeGreaterThan(380);
  const second = await timed();
  expect(second.value).toBeUndefined();
  expect(second.ms).toBeLessThan(350);
  silence.resolve('here');
  expect(await answer.get()).toBe('here');
  expect(signal?.aborted).toBe(false);
});

it('rejects as the question does, and asks again', async () => {
  let asked = 0;
  const answer = boundAnswer(async () => {
    asked += 1;
    if (asked === 1) throw new Error('no');
    return asked;
  }, BOUNDS);
  await expect(answer.get()).rejects.toThrow('no');
  expect(await answer.get()).toBe(2);
});
