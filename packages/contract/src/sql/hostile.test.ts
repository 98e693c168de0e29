import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findDangers } from './dangers.ts';
import { createGrammar } from './grammar.ts';
import { splitSql } from './split.ts';

/** Texts that begin with something and then say one thing over and over; each was, or could be, slow to read. */
const SHAPES: readonly (readonly [name: string, start: string, repeated: string, end: string])[] = [
  ['a ruler of dashes behind an escape string', "insert into t values (E'a\\n' ", '-', ' text\n);'],
  ['pairs of dashes behind an escape string', "select E'a' ", '-- ', "'"],
  ['comments behind an escape string', "select E'a'", '\n--', " x'"],
  ['blanks behind an escape string', "select E'a'", ' \n', 'x'],
  ['an escape string that goes on and on', 'select ', "E'a'\n'b'\n", ''],
  ['doubled quotes in an escape string', "select E'", "''", ''],
  ['escape strings without an end', '', "E'a' -- b ", ''],
  ['backslashes in an escape string', "select E'", '\\', "'"],
  ['comments that open and close once', 'select ', '/*', '*/'],
  ['comments that open, and close at the end', '', '/*/* ', '*/'.repeat(1000)],
  ['comments that close', '/*', '*/', ''],
  ['a comment that never closes', '', '/* */ /* ', ''],
  ['dollar quotes that never close', '', '$a ', ''],
  ['dollar quotes of many names', '', '$a$b', ''],
  ['a dollar tag without an end', 'select $', 'a', '$'],
  ['a dollar quote full of other tags', 'select $aaaaaaaaaaaaaaaa$', '$aaaaaaaaaaaaaaa', ''],
  ['parameters', 'select ', '$1', ''],
  ['quotes', '', '\'"', ''],
  ['a long word', '', 'e', ''],
  ['blanks', 'drop table', ' \n', 'x'],
  ['parentheses that open', 'delete from x ', '(', ''],
  ['parentheses that close', 'delete from x ', ')', ''],
  ['deletes in parentheses', '', '(delete from x ', ''],
  ['small statements', '', 'do;', ''],
  ['small steps', 'do $$', 'x;', '$$'],
  ['steps that never end', 'do $$ ', 'begin ', '$$'],
  ['deletes that reach to the end', 'do $$ ', 'loop delete from x ', '$$'],
  ['queries that share one long end', 'do $$ ', 'then select ', `(${'select 1 '.repeat(1000)})$$`],
  ['blocks that share one body', 'do $$ ', 'loop do ', `'${'delete from x; '.repeat(1000)}'$$`],
  ['dynamic statements that share one text', 'do $$ ', "loop execute 'a' || ", "'b'$$"],
  ['a format of percent signs', "do $$ begin execute '", '%1', "' || x; end $$"],
  ['blocks within blocks', '', 'do $a', ''],
  ['explain of explain', '', 'explain analyze ', 'drop table x'],
  ['explain of explain with options', '', 'explain (analyze) ', 'drop table x'],
  ['prepare of prepare', '', 'prepare p as ', 'drop table x'],
  ['tables of tables', '', 'create table x as ', 'delete from x'],
  ['a long name that is altered often', `alter table ${'a.'.repeat(50_000)}b `, 'drop c, ', 'drop d'],
  ['columns that are altered', 'alter table x ', 'alter y type int, ', 'alter z type int'],
  ['queries of a with', 'with ', 'a as (select 1), ', 'select 1; drop table x'],
  ['words before MERGE', 'merge into a using b ', 'when not matched by source ', 'then delete'],
  ['updates', 'update x set ', 'update x set ', ''],
  ['backslashes', '', '\\ ', ''],
  ['routines that begin again', 'create function f() returns void as $$ ', 'begin atomic ', '$$'],
];

/** Many times what any of them needs on a busy machine. */
const MOST_MS = 10_000;

/**
 * Reads a shape at growing sizes, so that a size that is already too slow ends the test; much larger ones would never come back
 * where the time doubles with each character.
 */
async function grow(textOf: (length: number) => string, mostCharacters: number): Promise<void> {
  const grammar = createGrammar();
  for (let length = 16; length <= mostCharacters; length = Math.ceil(length * (length < 1000 ? 1.4 : 4))) {
    const sql = textOf(length);
    const began = Date.now();
    splitSql(sql);
    await findDangers(sql, grammar);
    expect(Date.now() - began, `milliseconds for ${sql.length} characters`).toBeLessThan(MOST_MS);
  }
}

describe('hostile SQL', () => {
  it.each(SHAPES)('reads %s in a time that grows with its length only', async (_, start, repeated, end) => {
    await grow((length) => start + repeated.repeat(Math.ceil(length / repeated.length)) + end, 200_000);
  });

  it('reads blocks within blocks, each with a tag of its own', async () => {
    const nest = (depth: number) => Array.from({ length: depth }, (_, index) => `do $a${index}$ begin `).join('');
    await grow((length) => nest(Math.ceil(length / 12)), 200_000);
  });

  it('reads whatever is said over and over', async () => {
    const piece = fc.constantFrom(
      ..."E'|'|''|\"|--|/*|*/|$$|$a$|$a|\\|;|(|)|,|.|\n| |x|1|%|do|begin|loop|execute|select|delete from x|update x set|explain|create table x as|alter table x|drop y|with a as (|then|as".split(
        '|',
      ),
    );
    const pieces = fc.array(piece, { minLength: 1, maxLength: 5 }).map((some) => some.join(' '));
    const glued = fc.array(piece, { minLength: 1, maxLength: 5 }).map((some) => some.join(''));
    const text = fc.oneof(pieces, glued);
    await fc.assert(
      fc.asyncProperty(text, text, text, async (start, repeated, end) => {
        await grow((length) => start + repeated.repeat(Math.ceil(length / repeated.length)) + end, 20_000);
      }),
      { numRuns: 150 },
    );
  });

  it('still sees what stands behind a statement that is nested too deeply', async () => {
    const found = await findDangers(`${'explain analyze '.repeat(100)} drop table a;\ndrop table b`, createGrammar());
    expect(found.map(({ effect, line }) => [effect, line])).toEqual([
      ['unseen', 1],
      ['destroys', 2],
    ]);
  });
});
