import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { offsetOfCharacter, placeAt, splitSql } from './split.ts';

const quoteIdentifier = (name: string) => `"${name.replaceAll('"', '""')}"`;
const quoteLiteral = (text: string) => `${text.includes('\\') ? ' E' : ''}'${text.replaceAll("'", "''").replaceAll('\\', '\\\\')}'`;

const texts = (sql: string) => splitSql(sql).statements.map((statement) => statement.text);

describe('splitSql', () => {
  it.each([
    ['plain statements', 'select 1; select 2', ['select 1', 'select 2']],
    ['empty statements', ';; select 1;;', ['select 1']],
    ['nothing but a comment', '-- nothing; here\n/* nor; here */', []],
    ['strings with semicolons and doubled quotes', "select 'a;''b;'; select 2", ["select 'a;''b;'", 'select 2']],
    ['a backslash that ends a standard string', "select '\\'; select 2", ["select '\\'", 'select 2']],
    ['an escape string', "select E'\\';'; select 2", ["select E'\\';'", 'select 2']],
    [
      'an escape string that goes on in the next line',
      "select e'a'\n -- c'\n 'b\\';'; select 2",
      ["select e'a'\n -- c'\n 'b\\';'", 'select 2'],
    ],
    ['a name that ends in e before a string', "select date'2024;'; select 2", ["select date'2024;'", 'select 2']],
    ['bit, national and Unicode strings', "select b'1;', N';', U&';\\0041'; x", ["select b'1;', N';', U&';\\0041'", 'x']],
    ['quoted names', 'select "a;""b;"; select 2', ['select "a;""b;"', 'select 2']],
    ['dollar quotes', 'select $$a;b$$, $é1$ $$;$x$ $é1$; select 2', ['select $$a;b$$, $é1$ $$;$x$ $é1$', 'select 2']],
    ['a dollar inside a name', 'select a$b$; select 2; select $b$;', ['select a$b$', 'select 2', 'select $b$;']],
    ['parameters', 'select $1; select $2', ['select $1', 'select $2']],
    ['nested comments', 'select /* a; /* b; */ c; */ 1; select 2', ['select /* a; /* b; */ c; */ 1', 'select 2']],
    ['a comment after an operator', 'select 1 +--2;\n 3; select 4/*;*/', ['select 1 +--2;\n 3', 'select 4']],
    ['a comment that a lone carriage return ends', '-- a;\rselect 1;', ['select 1']],
    ['a quote in a comment', "-- don't\nselect 1; /* can't */ select 2", ['select 1', 'select 2']],
    ['the actions of a rule', 'create rule r as on insert to t do also (a; b); c', ['create rule r as on insert to t do also (a; b)', 'c']],
    ['an unterminated string', "select 1; select 'a; b", ['select 1', "select 'a; b"]],
    ['an unterminated dollar quote', 'select 1; do $x$ a; $y$', ['select 1', 'do $x$ a; $y$']],
    ['an unterminated comment', 'select 1; select /* /* */ 2;', ['select 1', 'select']],
  ])('splits %s', (_, sql, expected) => {
    expect(texts(sql)).toEqual(expected);
  });

  it('keeps the body of a function after BEGIN ATOMIC together', () => {
    const body =
      'create or replace function f(begin int) returns int language sql begin atomic\n' +
      ' select case when begin > 1 then 2 end; select (case 1 when 1 then 2 end) as end; select t.case from t;\n select 3; end';
    expect(texts(`${body}; select 1`)).toEqual([body, 'select 1']);
    expect(texts('create procedure p() begin atomic; end; begin; select 1; end;')).toHaveLength(4);
    expect(texts('begin atomic; select 1; end')).toHaveLength(3);
  });

  it('gives line and column as an editor shows them', () => {
    const sql = '\uFEFF-- é\r\nselect 1;\r\n\t /* 😀😀 */ select 2;\rselect 3;\n\n😀😀😀; select 4';
    const places = splitSql(sql).statements.map(({ line, column }) => [line, column]);
    expect(places).toEqual([
      [2, 1],
      [3, 12],
      [4, 1],
      [6, 1],
      [6, 6],
    ]);
    expect(placeAt(sql, sql.length)).toEqual({ line: 6, column: 14 });
  });

  it('counts characters as Postgres does', () => {
    expect(offsetOfCharacter('a😀b', 1)).toBe(0);
    expect(offsetOfCharacter('a😀b', 3)).toBe(3);
    expect(offsetOfCharacter('a😀b', 99)).toBe(4);
  });

  it('lists the words outside quotes and parentheses', () => {
    const [statement] = splitSql('copy /* x */ "from" (a, b) From stdin with (format csv)').statements;
    expect(statement?.words).toEqual(['COPY', 'FROM', 'STDIN', 'WITH']);
  });

  it('finds the first backslash outside quotes', () => {
    expect(splitSql('select \'\\\', "\\", $$\\$$ -- \\\n/* \\ */').backslash).toBeUndefined();
    expect(splitSql('select 1;\nselect 2 \\gset').backslash).toEqual({ start: 19, line: 2, column: 10 });
  });

  it('takes a line that begins with a backslash for one of psql', () => {
    const { statements, psqlLines, backslash } = splitSql("select 1;\n \\connect it's x;\nselect 2;\n\\.");
    expect(statements.map(({ text }) => text)).toEqual(['select 1', 'select 2']);
    expect(psqlLines).toMatchObject([
      { command: '\\connect', start: 11, end: 27, line: 2, column: 2 },
      { command: '\\.', line: 4, column: 1 },
    ]);
    expect(backslash).toBeUndefined();
  });

  it('passes over the data of COPY ... FROM STDIN', () => {
    expect(texts("copy t from stdin;\nit's; a\n\\.x\n\\.\r\nselect 2;\ncopy t from stdin;\n;;'")).toEqual([
      'copy t from stdin',
      'select 2',
      'copy t from stdin',
    ]);
    expect(texts('copy t from stdin; select 1')).toHaveLength(2);
  });

  it('finds every statement again that was joined with semicolons', async () => {
    const piece = fc.oneof(
      fc.string({ unit: 'binary' }).map((text) => quoteLiteral(text.replaceAll('\0', ''))),
      fc.string().map((text) => quoteIdentifier(text)),
      fc.string().map((text) => `$tag$${text}$tag$`.replaceAll('$tag$$tag$', '$tag$ $tag$')),
      fc.constantFrom('x', '(a; b)', '/* ; /* ; */ */ y', '-- ;\n z', '1.5e3', '+', '<>'),
    );
    const statement = fc.array(piece, { minLength: 1, maxLength: 6 }).map((pieces) => `select ${pieces.join(' ')}`.trim());
    await fc.assert(
      fc.property(fc.array(statement, { minLength: 1, maxLength: 5 }), (statements) => {
        expect(texts(statements.join(' ; '))).toEqual(statements);
      }),
    );
  });

  it('never fails and never loses order, whatever the text is', async () => {
    const noise = fc.string({
      unit: fc.constantFrom("'", '"', '$', '\\', ';', '-', '/', '*', 'e', 'E', 'a', '(', ')', '\n', '\r', '😀', ' '),
    });
    await fc.assert(
      fc.property(noise, (sql) => {
        let last = 0;
        for (const { start, end, text } of splitSql(sql).statements) {
          expect(start).toBeGreaterThanOrEqual(last);
          expect(end).toBeGreaterThan(start);
          expect(sql.slice(start, end)).toBe(text);
          last = end;
        }
      }),
    );
  });
});
