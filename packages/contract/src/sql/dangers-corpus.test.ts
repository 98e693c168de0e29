import { describe, expect, it } from 'vitest';
import { findDangers } from './dangers.ts';
import { createGrammar } from './grammar.ts';

const grammar = createGrammar();
const effects = async (sql: string) => (await findDangers(sql, grammar)).map(({ effect }) => effect);

describe('findDangers, where words alone mislead', () => {
  it.each([
    [
      'a trigger that names the event',
      "create function f() returns trigger language plpgsql as $$ begin if tg_op = 'DELETE' then return old; end if; return new; end $$",
    ],
    [
      'a format of names and constants',
      "do $$ begin execute format('create index on %I (id)', t); execute format('alter role x set search_path = %L', p); end $$",
    ],
    ['a dynamic delete with a condition', "do $$ begin execute format('delete from %I where id = %L', t, i); end $$"],
    ['quoted names in a chain', "do $$ begin execute 'alter table ' || quote_ident(t) || ' add column c int'; end $$"],
    ['a constant of percent signs', "do $$ begin execute format('comment on table x is ''100%%'''); end $$"],
    ['a column called like a statement', 'update t set "delete" = 1, truncate = 2 where id = 1'],
    ['a WHERE in the returning clause of a query that has its own', 'delete from t where id = 1 returning (select 1)'],
    ['the constraint of another table', 'alter table t drop constraint if exists c cascade'],
    ['a column of a foreign table', 'alter foreign table f drop column c'],
    ['text to text in a schema', 'alter table t alter c type pg_catalog.text'],
    ['assignments', 'do $$ declare n int; begin n := (select count(*) from t where deleted); update t set a = n where id = n; end $$'],
    ['a clause of ARRAY with commas', "alter table t alter c set default array['a', 'b'], add column d int"],
  ])('raises no false alarm for %s', async (_, sql) => {
    expect(await effects(sql)).toEqual([]);
  });

  it.each([
    ['an escape string that EXECUTE runs', "do $$ begin execute e'drop table \\x61'; end $$"],
    ['an escape string as a body', "do e'begin truncate orders; end'"],
    ['a Unicode string that EXECUTE runs', "do $$ begin execute U&'dr\\006fp table a'; end $$"],
    ['a Unicode name of a function', 'select U&"lo\\005funlink"(1)'],
    ['a condition in parentheses and casts', 'delete from t where ((1) = (1))'],
    ['a query of RETURN QUERY', 'do $$ begin if true then delete from t; end if; end $$'],
    ['a branch of CASE', 'do $$ declare n int := 1; begin case n when 1 then delete from t; else null; end case; end $$'],
    ['a loop over names', "do $$ declare n text; begin foreach n in array array['a'] loop execute 'drop table ' || n; end loop; end $$"],
    ['large objects in an assignment', 'do $$ declare n int; begin n := lo_unlink(1); end $$'],
    ['large objects in PERFORM', 'do $$ begin perform lo_unlink(1); end $$'],
    ['a chain that adds CASCADE', "do $$ begin execute 'drop table a' || ' cascade'; end $$"],
    ['a body with text put in by format', "do $$ begin execute format('truncate %s', t); end $$"],
    ['a delete in the middle of a query', 'select * from (with d as (delete from t returning *) select 1) s'],
  ])('sees what %s destroys', async (_, sql) => {
    expect(await effects(sql)).toEqual(['destroys']);
  });

  it.each([
    ['a statement of a newer release', 'alter table t split partition p into (partition a for values in (1))'],
    ['a statement nobody knows', 'purge table t'],
    ['a statement with a mistake', 'drop tabel t'],
    ['EXPLAIN of what cannot be explained', 'explain verbose truncate orders'],
    ['a body of PL/pgSQL with a mistake', 'do $$ begin if then delete from t; end $$'],
    ['text put in where it may be more than a name', "do $$ begin execute format('select %s', x); end $$"],
    ['a function whose name is put in', "do $$ begin execute format('select %I(1)', x); end $$"],
    ['a rule, which runs later', 'create rule r as on delete to orders do also (delete from archive)'],
    [
      'blocks in blocks in blocks',
      Array.from({ length: 12 }, (_, depth) => `do $a${depth}$ begin `).join('') +
        'drop table t;' +
        Array.from({ length: 12 }, (_, depth) => ` end $a${11 - depth}$;`).join(''),
    ],
  ])('says of %s that it could not be analysed', async (_, sql) => {
    expect(await effects(sql)).toEqual(['unseen']);
  });

  it('passes over data that is too long for the parser, and not over what else is too long', async () => {
    const rows = "(1, 'they update and delete and drop')".concat(",(1, 'they update and delete and drop')".repeat(150_000));
    expect(rows.length).toBeGreaterThan(5_000_000);
    expect(await findDangers(`insert into t values ${rows}`, grammar)).toEqual([]);
    expect(await findDangers(`delete from t where (a, b) in (${rows})`, grammar)).toMatchObject([
      { effect: 'unseen', why: 'It could not be analysed: it is longer than 512 KiB.' },
    ]);
  });

  it('survives what exhausts the parser, and reads the next statement', async () => {
    const own = createGrammar();
    const bomb = `delete from t where id = ${'1+'.repeat(200_000)}1`;
    const found = await findDangers(`${bomb};\ndrop table a;\nselect 1`, own);
    expect(found.map(({ effect, line }) => [effect, line])).toEqual([
      ['unseen', 1],
      ['destroys', 2],
    ]);
    const many = await findDangers(`${`${bomb};\n`.repeat(20)}drop table a`, own);
    expect(many).toHaveLength(21);
    expect(many.at(-1)).toMatchObject({ effect: 'unseen', line: 21 });
  });

  it('tells characters from bytes when it says where', async () => {
    const sql = "do $$ begin\n  perform 'ä€😀'; truncate a;\n  with x as (select 'ä€😀' as \"ö\"), y as (delete from b) select 1;\nend $$";
    expect(await findDangers(sql, grammar)).toMatchObject([
      { line: 2, column: 18, statement: 'truncate a' },
      { line: 3, column: 42, statement: 'delete from b' },
    ]);
  });
});
