import { type PsqlLine, type SqlScript, type SqlStatement, splitSql } from './split.ts';
import { blank, readWayUp, type TextRefusal, type WayMarker } from './way-up.ts';

/** What of the text of a file runs. */
export interface RunnableText {
  /** As long as the text; what does not run is blank, so that every offset and line keeps its meaning. */
  readonly sql: string;
  readonly statements: readonly SqlStatement[];
  /** Commands of psql, but for those without an effect on what runs. */
  readonly psqlLines: readonly PsqlLine[];
  readonly backslash: SqlScript['backslash'];
  /** Comments of another migration tool that say which half is the way up. */
  readonly markers: readonly WayMarker[];
  /** Why the text must not run at all. */
  readonly refusal: TextRefusal | undefined;
  /** Whether pg_dump or pg_dumpall wrote it. */
  readonly isDump: boolean;
  /** Statements of a dump that give its objects to an owner, and that were left out. */
  readonly ownersLeftOut: number;
}

/** Lines that pg_dump writes for psql and for newer servers only; they change nothing in what runs. */
const RESTRICTIONS = new Set(['\\restrict', '\\unrestrict']);
const TIMEOUT = /^SET\s+transaction_timeout\s*(?:=|TO)\s*'?0'?$/i;
const DUMP_HEADER = /^-- (?:PostgreSQL database (?:cluster )?dump|Dumped (?:from database|by pg_dump) version .*)\r?$/m;

/**
 * Reads what of a file is meant to run: of a migration the way up, and of a plain dump everything but what concerns psql, another
 * server or an owner. All that a push creates belongs to the project's owner anyway.
 */
export function readRunnable(text: string): RunnableText {
  const { sql, markers, refusal } = readWayUp(text);
  const split = splitSql(sql);
  const isDump = DUMP_HEADER.test(sql.slice(0, 20_000)) || split.psqlLines.some(({ command }) => RESTRICTIONS.has(command));
  const isIdle = (statement: SqlStatement) => TIMEOUT.test(statement.text);
  const isOwner = (statement: SqlStatement) => isDump && /^ALTER .* OWNER TO(?: [^ ]+)?$/.test(statement.words.join(' '));
  const leftOut = [
    ...split.psqlLines.filter(({ command }) => RESTRICTIONS.has(command)),
    ...split.statements.filter((statement) => isIdle(statement) || isOwner(statement)),
  ].sort((a, b) => a.start - b.start);
  const rest = split.statements.filter((statement) => !isIdle(statement) && !isOwner(statement));
  return {
    sql: blankOut(sql, leftOut),
    statements: rest,
    psqlLines: split.psqlLines.filter(({ command }) => !RESTRICTIONS.has(command)),
    backslash: split.backslash,
    markers,
    refusal,
    isDump,
    ownersLeftOut: split.statements.filter(isOwner).length,
  };
}

/**
 * The text whose checksum identifies a file, as other clients compute it: without the lines of pg_dump that differ between two dumps
 * of one database (`\restrict` has a new word each time) and between releases.
 */
export function identifyingText(text: string): string {
  if (!/^(?:\\(?:un)?restrict|SET transaction_timeout)/m.test(text)) return text;
  return text.replace(/^SET transaction_timeout\s*=[^;]+;\s*\n?/m, '').replace(/^\\(?:un)?restrict\b[^\n]*\n?/gm, '');
}

/** The text with blanks in some places, which come in order. */
export function blankOut(sql: string, places: readonly { readonly start: number; readonly end: number }[]): string {
  if (places.length === 0) return sql;
  const parts: string[] = [];
  let at = 0;
  for (const { start, end } of places) {
    parts.push(sql.slice(at, start), blank(sql.slice(start, end)));
    at = end;
  }
  return [...parts, sql.slice(at)].join('');
}
