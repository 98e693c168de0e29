import { expect, it } from 'vitest';
import * as z from 'zod';
import { checkAnswer } from './check-answer.ts';

const route = {
  method: 'GET',
  path: '/x',
  answer: z.object({ a: z.number(), b: z.object({ c: z.string().nullable() }).optional() }),
} as const;

it.each([{ a: 1 }, { a: 1, b: { c: null } }, { a: 1, b: undefined }])('lets %o pass', (body) => {
  expect(() => checkAnswer(route, body)).not.toThrow();
});

it.each([
  [{}, 'does not match'],
  [{ a: '1' }, 'does not match'],
  [{ a: 1, b: {} }, 'does not match'],
  [{ a: 1, legacy: true }, 'does not know'],
  [{ a: 1, b: { c: null, d: 1 } }, 'does not know'],
])('refuses %o', (body, words) => {
  expect(() => checkAnswer(route, body)).toThrow(words);
});
