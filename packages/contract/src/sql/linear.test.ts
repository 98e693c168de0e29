import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findRefusal, readScript } from './script.ts';
import { readWayUp } from './way-up.ts';

/** Pieces of which scanners are made, and of which rulers, comments and strings that never end are. */
const PIECES = [
  ...[
    '-',
    '--',
    '-- -- ',
    '\n',
    '\r\n',
    "'",
    "E'",
    "''",
    '\\',
    '\\\n',
    '"',
    '/*',
    '*/',
    '$',
    '$$',
    '$a$',
    ';',
    ' ',
    '\t',
    '(',
    ')',
    'a',
    '1',
    '.',
    ',',
  ],
  ...[
    'select ',
    'create function f() ',
    'begin',
    'end',
    'copy t from stdin;',
    '\\.',
    '-- migrate:down',
    '-- +goose Down',
    'as ',
    'do ',
    '\u0000',
    'é',
    '💥',
  ],
];
const CHARACTERS = 40_000;
const MS = 1500;

const read = (sql: string) => {
  findRefusal('a.sql', readScript(sql));
  readWayUp(sql);
};

function timeOf(sql: string): number {
  const began = Date.now();
  read(sql);
  return Date.now() - began;
}

describe('reading SQL', () => {
  it.each([
    ['finding 3', `insert into secret values (3, E'a\n' ${'-'.repeat(80)} the text\n);`],
    ['rulers in turn', `select E'a'\n${'-- '.repeat(10_000)}`],
    ['a ruler', `select E'a'\n${'-'.repeat(CHARACTERS)}\n`],
    ['rulers', `select E'a'\n${`${'-'.repeat(80)}\n`.repeat(500)}'b'`],
    ['strings that go on', `select ${"E'a'\n".repeat(8000)}`],
    ['comments in comments', '/*'.repeat(CHARACTERS / 2)],
    ['dollars', '$'.repeat(CHARACTERS)],
    ['tags', Array.from({ length: 5000 }, (_, index) => `$a${index}$`).join('')],
    ['quotes', "'".repeat(CHARACTERS - 1)],
    ['spaces', `select${' '.repeat(CHARACTERS)}x`],
    ['brackets', '('.repeat(CHARACTERS)],
  ])('takes a time that grows with its length: %s', (_, sql) => {
    expect(timeOf(sql)).toBeLessThan(MS);
  });

  it('takes such a time whatever is repeated', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...PIECES), { minLength: 1, maxLength: 6 }),
        fc.array(fc.constantFrom(...PIECES), { maxLength: 4 }),
        (unit, before) => {
          const text = unit.join('');
          const sql = before.join('') + text.repeat(Math.ceil(CHARACTERS / 2 / text.length));
          expect(timeOf(sql), JSON.stringify({ before, unit })).toBeLessThan(MS);
        },
      ),
      { numRuns: 60 },
    );
  });
});
