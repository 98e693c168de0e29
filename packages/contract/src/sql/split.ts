import { scanToken } from './scan.ts';

/** A place in a text as editors count: both from 1, columns in characters (not bytes, not UTF-16 units). */
export interface SqlPlace {
  readonly line: number;
  readonly column: number;
}

/** One statement of a text, without its semicolon and the comments around it. */
export interface SqlStatement extends SqlPlace {
  readonly text: string;
  /** Offsets in the text that was split, in UTF-16 units: of the first character, and behind the last. */
  readonly start: number;
  readonly end: number;
  /** The first 40 words that stand outside quotes and parentheses, in upper case. */
  readonly words: readonly string[];
}

/** A line with a command of psql between two statements. */
export interface PsqlLine extends SqlPlace {
  readonly start: number;
  readonly end: number;
  /** `\connect`, without its arguments. */
  readonly command: string;
}

/** A text of SQL, taken apart. */
export interface SqlScript {
  readonly statements: readonly SqlStatement[];
  readonly psqlLines: readonly PsqlLine[];
  /** The first backslash within a statement and outside quotes: SQL has none there, so a command of psql follows (`\gset`). */
  readonly backslash: (SqlPlace & { readonly start: number }) | undefined;
}

const MAX_WORDS = 40;
const MAX_COMMAND = 40;

/**
 * Splits SQL text at the semicolons that end statements, as the server does: not at those in strings, dollar quotes,
 * quoted names, comments, the actions of a rule, or the body of a function after BEGIN ATOMIC. Text that is not SQL is split
 * somehow and never an error; the server says what is wrong with it. A byte order mark in front is skipped.
 *
 * As in psql, a backslash between statements takes the rest of its line, and the lines behind COPY ... FROM STDIN are data up to `\.`.
 */
export function splitSql(sql: string): SqlScript {
  const statements: SqlStatement[] = [];
  const psqlLines: PsqlLine[] = [];
  const placeOf = createPlaceCounter(sql);
  let backslash: SqlScript['backslash'];
  let current = emptyStatement();

  const finish = () => {
    if (current.start >= 0) {
      const { start, end, words } = current;
      statements.push({ text: sql.slice(start, end), start, end, words, ...placeOf(start) });
    }
    current = emptyStatement();
  };

  for (let at = sql.startsWith('\uFEFF') ? 1 : 0; at < sql.length; ) {
    const { kind, end } = scanToken(sql, at);
    if (kind === 'backslash' && current.start < 0) {
      const lineEnd = endOfLine(sql, at);
      const command = /^\\\S*/.exec(sql.slice(at, Math.min(lineEnd, at + MAX_COMMAND)))?.[0] ?? '\\';
      psqlLines.push({ start: at, end: lineEnd, command, ...placeOf(at) });
      at = lineEnd;
      continue;
    }
    if (kind === 'semicolon' && current.parentheses === 0 && current.atomic === 0) {
      const readsData = current.start >= 0 && readsFromStdin(current.words);
      finish();
      at = readsData ? endOfCopyData(sql, end) : end;
      continue;
    }
    if (kind !== 'space') {
      if (current.start < 0) current.start = at;
      if (kind === 'backslash') backslash ??= { start: at, ...placeOf(at) };
      takeToken(current, kind, sql.slice(at, kind === 'word' ? end : at + 1));
      current.end = end;
    }
    at = end;
  }
  finish();
  return { statements, psqlLines, backslash };
}

/** Whether these are the words of COPY ... FROM STDIN. */
export function readsFromStdin(words: readonly string[]): boolean {
  if (words[0] !== 'COPY') return false;
  const from = words.indexOf('FROM');
  return from > 0 && words[from + 1] === 'STDIN';
}

function endOfLine(sql: string, offset: number): number {
  for (let end = offset; end < sql.length; end++) if (sql[end] === '\n' || sql[end] === '\r') return end;
  return sql.length;
}

/** Behind the line `\.`; the end of the text where there is none. What stands in the line of the COPY itself is not data. */
function endOfCopyData(sql: string, offset: number): number {
  const line = sql.indexOf('\n', offset);
  if (line < 0) return offset;
  for (let at = line; ; at += 1) {
    at = sql.indexOf('\n\\.', at);
    if (at < 0) return sql.length;
    const after = sql[at + 3];
    if (after === undefined || after === '\n' || after === '\r') return at + 3;
  }
}

/** Line and column of an offset (in UTF-16 units) of a text. */
export function placeAt(sql: string, offset: number): SqlPlace {
  return createPlaceCounter(sql)(offset);
}

/** The offset in UTF-16 units of the n-th character, counted from 1 as Postgres counts positions. */
export function offsetOfCharacter(sql: string, position: number): number {
  let offset = 0;
  for (let characters = 1; characters < position && offset < sql.length; characters++) offset += isPair(sql, offset) ? 2 : 1;
  return offset;
}

interface OpenStatement {
  start: number;
  end: number;
  words: string[];
  parentheses: number;
  /** Depth of BEGIN ATOMIC and CASE in the body of a function. */
  atomic: number;
  /** The token before this one, a word in upper case. */
  previous: string;
}

function emptyStatement(): OpenStatement {
  return { start: -1, end: -1, words: [], parentheses: 0, atomic: 0, previous: '' };
}

function takeToken(statement: OpenStatement, kind: string, text: string): void {
  const token = kind === 'word' ? text.toUpperCase() : text;
  if (kind === 'open') statement.parentheses++;
  else if (kind === 'close') statement.parentheses = Math.max(0, statement.parentheses - 1);
  else if (kind === 'word' && statement.parentheses === 0) {
    if (statement.words.length < MAX_WORDS) statement.words.push(token);
    // `x.end` and `AS end` are names, though END is reserved everywhere else.
    const isName = statement.previous === '.' || statement.previous === 'AS';
    if (statement.atomic === 0) {
      if (token === 'ATOMIC' && statement.previous === 'BEGIN' && makesRoutine(statement.words)) statement.atomic = 1;
    } else if (token === 'CASE' && !isName) statement.atomic++;
    else if (token === 'END' && !isName) statement.atomic--;
  }
  statement.previous = token;
}

function makesRoutine(words: readonly string[]): boolean {
  return /^CREATE (OR REPLACE )?(FUNCTION|PROCEDURE) /.test(words.slice(0, 5).join(' '));
}

/** Counts on from the last offset it was asked for, so that asking in order reads the text once. */
export function createPlaceCounter(sql: string): (offset: number) => SqlPlace {
  let at = sql.startsWith('\uFEFF') ? 1 : 0;
  let line = 1;
  let column = 1;
  return (offset) => {
    while (at < offset && at < sql.length) {
      const character = sql[at];
      if (character === '\n' || (character === '\r' && sql[at + 1] !== '\n')) {
        line++;
        column = 1;
      } else column++;
      at += isPair(sql, at) ? 2 : 1;
    }
    return { line, column };
  };
}

function isPair(sql: string, offset: number): boolean {
  return (sql.codePointAt(offset) ?? 0) > 0xffff;
}
