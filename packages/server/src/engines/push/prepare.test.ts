import { describe, expect, it } from 'vitest';
import { prepareScript } from './prepare.ts';

const refusal = (sql: string) => {
  try {
    prepareScript(sql, 'f.sql');
  } catch (error) {
    return error as { code: string; message: string; hint: string; details: object };
  }
  return undefined;
};

describe('prepareScript', () => {
  it.each([
    'begin; select 1',
    'select 1; commit',
    'start transaction read only; select 1; select 2',
    'select 1; rollback; select 2',
    'select 1; abort',
    'end; select 1',
    'savepoint a; select 1',
    'rollback to a; select 1',
    'release a; select 1',
    `prepare transaction 'x'; select 1`,
    `commit prepared 'x'; select 1`,
    'copy t from stdin; select 1',
    'COPY "t" (a, b) FROM /* no */ STDIN WITH (format csv)',
    'create database x',
    'drop database x',
    'create tablespace x location $$/x$$',
    'alter system set work_mem = 1',
    'vacuum',
    'vacuum (full) t',
    'cluster',
    'discard all',
    'create index concurrently i on t (a)',
    'create unique index concurrently if not exists i on t (a)',
    'drop index concurrently i',
    'reindex table concurrently t',
    'reindex database x',
    'alter table t detach partition p concurrently',
    'select 1; \\connect x',
    "\\copy t from 'x'",
    '\\.',
    'select 1\\gset',
  ])('refuses %s', (sql) => {
    const error = refusal(sql);
    expect(error?.code).toBe('sql_not_allowed');
    expect(error?.message).toMatch(/^f\.sql:1: .*Nothing of this file was applied\.$/);
    expect(error?.hint).not.toBe('');
  });

  it.each([
    'prepare p as select 1',
    'create procedure p() language plpgsql as $$ begin commit; end $$',
    "select 'begin; commit; \\\\'",
    'create index on t (a); reindex table t; cluster t using i',
    'refresh materialized view concurrently m',
    'copy t to stdout',
    'alter database x set work_mem = 1',
    'create table "begin" (concurrently_ int); insert into "begin" select from x',
    'alter table stdin add from_stdin int',
    'discard temp',
    'end_of_list()',
  ])('lets %s pass', (sql) => {
    expect(refusal(sql)).toBeUndefined();
  });

  it('names the line of the first thing that it refuses', () => {
    const sql = "select 1;\n  COPY t (a)\nFROM stdin;\n1\tit's; commit;\n\\.\n";
    expect(refusal(sql)).toMatchObject({
      message: expect.stringContaining('f.sql:2: COPY ... FROM STDIN reads data'),
      hint: expect.stringContaining('INSERT'),
      details: { filename: 'f.sql', line: 2, column: 3, statement: 'COPY t (a)\nFROM stdin' },
    });
    expect(refusal('select 1;\n\n \\i x.sql\ncommit;')).toMatchObject({ details: { line: 3, column: 2 } });
    expect(refusal('select 1;\nselect \0')).toMatchObject({ details: { line: 2, column: 8 } });
    expect(refusal("select 1;\nselect '\ud83d'")).toMatchObject({ details: { line: 2, column: 9 } });
  });

  it('leaves out BEGIN and COMMIT around a whole file, and says so', () => {
    const script = prepareScript('\uFEFF-- x\nBEGIN ISOLATION LEVEL SERIALIZABLE;\nselect 1;\nselect 2;\nCOMMIT WORK;\n-- end', 'f.sql');
    expect(script.statements.map(({ text }) => text)).toEqual(['select 1', 'select 2']);
    expect(script.warnings).toEqual([expect.stringMatching(/BEGIN ISOLATION LEVEL SERIALIZABLE in line 2 and COMMIT WORK in line 5/)]);
    expect(prepareScript('begin; end', 'f.sql').statements).toEqual([]);
    expect(refusal('begin; select 1; commit; begin; select 2; commit')).toMatchObject({ code: 'sql_not_allowed' });
    expect(refusal('begin; select 1; commit and chain')).toMatchObject({ code: 'sql_not_allowed' });
    expect(refusal('begin; select 1; rollback')).toMatchObject({ code: 'sql_not_allowed' });
  });

  it('sends neighbouring statements together, and every statement once', () => {
    expect(prepareScript('', 'f.sql').chunks).toEqual([]);
    expect(prepareScript('select 1; select 2', 'f.sql').chunks).toEqual([{ first: 0, count: 2 }]);
    const many = prepareScript('select 1;'.repeat(12_001), 'f.sql');
    expect(many.chunks).toEqual([
      { first: 0, count: 5000 },
      { first: 5000, count: 5000 },
      { first: 10_000, count: 2001 },
    ]);
    const large = prepareScript(`select '${'x'.repeat(700_000)}';`.repeat(3), 'f.sql');
    expect(large.chunks).toEqual([0, 1, 2].map((first) => ({ first, count: 1 })));
  });
});

describe('a file of another tool', () => {
  it('runs its way up only', () => {
    const script = prepareScript('-- migrate:up\nselect 1;\n-- migrate:down\ndrop table t;\ncommit;\n', 'f.sql');
    expect(script.statements.map(({ text }) => text)).toEqual(['select 1']);
    expect(script.sql).not.toContain('drop');
  });

  it('is refused when it is not clear which half that is', () => {
    expect(refusal('select 1;\n-- DOWN\ndrop table t;')).toMatchObject({
      code: 'sql_not_allowed',
      message: expect.stringMatching(/^f\.sql:2: `-- DOWN` looks like the beginning of a way down.*Nothing of this file was applied\.$/),
    });
  });
});

describe('a plain dump', () => {
  const header = [
    '--\n-- PostgreSQL database dump\n--\n',
    '\\restrict dVjFNgeJ2TrZbYNTm2ulMHqbVhd2\n',
    '-- Dumped from database version 17.12',
    'SET statement_timeout = 0;\nSET transaction_timeout = 0;',
    "SET standard_conforming_strings = on;\nSELECT pg_catalog.set_config('search_path', '', false);",
    'CREATE TABLE public.t (a text);\n\nALTER TABLE public.t OWNER TO postgres;\nALTER FUNCTION public."f"(a int) OWNER TO "some one";',
  ].join('\n');

  it('runs without the lines for psql, for a newer server, and for owners', () => {
    const sql = `${header}\nINSERT INTO public.t VALUES ('\n\\restrict x\nSET transaction_timeout = 0;');\n\n\\unrestrict dVjFNgeJ2TrZbYNTm2ulMHqbVhd2\n\n`;
    const script = prepareScript(sql, 'dump.sql');
    expect(script.statements.map(({ words }) => words.slice(0, 2).join(' '))).toEqual([
      'SET STATEMENT_TIMEOUT',
      'SET STANDARD_CONFORMING_STRINGS',
      'SELECT PG_CATALOG',
      'CREATE TABLE',
      'INSERT INTO',
    ]);
    expect(script.sql).toHaveLength(sql.length);
    expect(script.sql.match(/restrict|transaction_timeout/g)).toHaveLength(2);
    expect(script.warnings).toEqual([expect.stringContaining('2 ALTER ... OWNER TO of this dump were left out')]);
  });

  it('keeps OWNER TO of a file that is not a dump', () => {
    expect(prepareScript('alter table t owner to x', 'f.sql').statements).toHaveLength(1);
  });

  it('names everything that stops it in one sentence, and what to do', () => {
    const sql = `${header}\n\\connect shop\nCOPY public.t (a) FROM stdin;\nit's; commit;\n\\x\n\\.\n\nCREATE DATABASE x;\nCOPY public.t FROM stdin;\n\\.\n`;
    expect(refusal(sql)).toMatchObject({
      message:
        'f.sql:16: this is a plain dump of pg_dump, and a push cannot run \\connect (line 16), COPY ... FROM STDIN (lines 17, 23), CREATE DATABASE (line 22). Nothing of this file was applied.',
      hint: expect.stringContaining('-1 -f f.sql`'),
    });
  });
});

describe('standard_conforming_strings', () => {
  it.each([
    'set standard_conforming_strings = off',
    "SET LOCAL standard_conforming_strings TO 'off'",
    'set session standard_conforming_strings=false',
    "select pg_catalog.set_config('standard_conforming_strings', 'off', false)",
  ])('that is turned off is refused with the reason: %s', (sql) => {
    expect(refusal(`${sql};\ninsert into s values ('a\\'b; drop table s; --');`)).toMatchObject({
      code: 'sql_not_allowed',
      message: expect.stringMatching(/^f\.sql:1: this statement turns standard_conforming_strings off: a backslash/),
      hint: expect.stringContaining("E'...'"),
    });
  });

  it.each([
    'set standard_conforming_strings = on',
    "set standard_conforming_strings to 'on'",
    'set standard_conforming_strings to default',
  ])('may be turned on: %s', (sql) => {
    expect(refusal(sql)).toBeUndefined();
  });
});
