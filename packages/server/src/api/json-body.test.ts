import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseJsonBody } from './json-body.ts';

it('reads whatever JSON of modest size says', async () => {
  await fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), fc.string({ unit: fc.constantFrom('\\', '"', '[', '{', ',', 'a') }), (value, text) => {
      const body = { value, text, [text]: 1 };
      expect(parseJsonBody(JSON.stringify(body))).toEqual(JSON.parse(JSON.stringify(body)));
    }),
  );
  expect(parseJsonBody('')).toBeUndefined();
  expect(parseJsonBody(JSON.stringify('['.repeat(1_000_000)))).toHaveLength(1_000_000);
});

it.each([
  ['nested arrays', '['.repeat(1_000_000)],
  ['nested objects', '{"a":'.repeat(1_000_000)],
  ['many values', `[${'0,'.repeat(1_000_000)}0]`],
  ['many objects', `[${'{},'.repeat(1_000_000)}0]`],
  ['a string without an end', `"${'\\"'.repeat(1_000_000)}`],
  ['no JSON', 'sql'],
])('refuses %s, and soon', (_, text) => {
  const began = Date.now();
  expect(() => parseJsonBody(text)).toThrow(expect.objectContaining({ code: 'invalid_request' }));
  expect(Date.now() - began).toBeLessThan(5000);
});

it.each(['{"note":"a\\u0000b"}', '{"list":[{"name":"x\\uD83D"}]}', '{"a\\udc00":1}', '"\\u0000"'])(
  'refuses what is not text: %s',
  (text) => {
    expect(() => parseJsonBody(text)).toThrow(/NUL or half of a character/);
  },
);

it('leaves SQL to its reader, which names the line, and takes whole characters and what only looks like an escape', () => {
  for (const body of [{ sql: 'a\0' }, { note: '😀 \\u0000 \\ud83d' }]) expect(parseJsonBody(JSON.stringify(body))).toEqual(body);
  expect(parseJsonBody('{"note":"\\ud83d\\ude00"}')).toEqual({ note: '😀' });
});
