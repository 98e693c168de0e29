import fc from 'fast-check';
import { expect, it } from 'vitest';
import { answerReviver, displayJson, displayLines, displaySafe, withoutControls } from './display.ts';

const HOSTILE = 'a\u001b[2J\n\u009b31mb\u202ec\u0000\u2028\u{e0001}\td';

it('shows what would act on a terminal', () => {
  expect(displaySafe(HOSTILE)).toBe('a\\u001b[2J\\u000a\\u009b31mb\\u202ec\\u0000\\u2028\\ue0001\\u0009d');
  expect(displayLines('a\n\tb\r\u001b')).toBe('a\n\tb\\u000d\\u001b');
});

it('leaves lines only where an answer has them by design', () => {
  const parsed = JSON.parse(
    JSON.stringify({ name: HOSTILE, list: ['a\nb', ['c\nd', { sql: 'e\nf' }]], before: ['g\nh'], hint: 'a\nb\u001b' }),
    answerReviver,
  );
  expect(parsed).toEqual({
    name: 'a\\u001b[2J\\u000a\\u009b31mb\u202ec\\u0000\u2028\u{e0001}\\u0009d',
    list: ['a\\u000ab', ['c\\u000ad', { sql: 'e\nf' }]],
    before: ['g\nh'],
    hint: 'a\nb\\u001b',
  });
});

it('escapes JSON without changing what it means', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const json = displayJson(JSON.stringify({ text, [text]: 1 }, null, 2));
      expect(JSON.parse(json)).toEqual({ text, [text]: 1 });
      expect(json).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}\u2028\u2029]/u);
    }),
  );
});

it('leaves names as they are where they may be compared', () => {
  for (const name of ['001_\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645.sql', '\u200fR__\u05e9.sql', '\ufeff002_a.sql', 'a\u2028b']) {
    expect(withoutControls(name)).toBe(name);
    expect(JSON.parse(JSON.stringify({ filename: name, list: [name], hint: name }), answerReviver)).toEqual({
      filename: name,
      list: [name],
      hint: name,
    });
    expect(displaySafe(name)).not.toBe(name);
  }
});
