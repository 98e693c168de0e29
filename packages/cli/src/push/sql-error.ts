import { displayLines } from '@flux/contract/display';
import { FluxError, isFluxError } from '@flux/contract/errors';
import type { SqlFile } from './files.ts';

const CONTEXT_LINES = 2;

/** One file within a text that was sent, with the line of that text on which it begins (from 0). */
export interface SentFile {
  readonly file: SqlFile;
  readonly firstLine: number;
}

/**
 * Adds the place to an error of Postgres: file, line, column, the statement with a caret under the position, and what happened
 * to the file. The server sends its message and its advice without the place in `details.problem` and `details.advice`;
 * both are absent when it cannot promise that nothing was applied, and then its own message and hint are kept. Errors with other
 * codes are returned unchanged.
 */
export function locateSqlError(error: unknown, sent: readonly SentFile[], outcome: string): unknown {
  if (!isFluxError(error) || (error.code !== 'sql_failed' && error.code !== 'sql_not_allowed')) return error;
  const line = numberIn(error.details.line);
  const column = numberIn(error.details.column);
  const source = sent.findLast(({ firstLine }) => line !== null && firstLine < line) ?? sent[0];
  if (source === undefined) return error;
  const own = line === null ? null : line - source.firstLine;
  const place = [source.file.filename, own, own === null ? null : column].filter((part) => part !== null).join(':');
  const sqlState = typeof error.details.sqlState === 'string' ? ` (SQLSTATE ${error.details.sqlState})` : '';
  const statement = typeof error.details.statement === 'string' ? error.details.statement : null;
  const excerpt = own === null ? statement : drawExcerpt(source.file.sql, own, column);
  const { problem, advice } = error.details;
  const message = typeof problem === 'string' ? `${place}: ${problem}${sqlState}` : `${error.message}${sqlState}`;
  const outcomes =
    typeof problem === 'string' ? [`Nothing of ${source.file.filename} was applied. ${outcome}`.trim(), advice] : [error.hint, outcome];
  return new FluxError(error.code, message, {
    hint: outcomes.filter((line) => typeof line === 'string' && line !== '').join('\n'),
    details: { ...error.details, file: source.file.path, line: own, column, excerpt },
    cause: error,
  });
}

/** A few lines of a text up to the given one (from 1), numbered, with a caret under the column (from 1). */
function drawExcerpt(sql: string, line: number, column: number | null): string {
  const lines = sql.split(/\r?\n/);
  const first = Math.max(1, line - CONTEXT_LINES);
  const width = String(line).length;
  const drawn: string[] = [];
  for (let number = first; number <= Math.min(line, lines.length); number += 1) {
    drawn.push(`  ${String(number).padStart(width)} | ${displayLines(lines[number - 1] ?? '')}`);
  }
  if (column !== null) {
    // Tabs stay tabs, so that the caret stands under its letter at any tab width.
    const before = displayLines((lines[line - 1] ?? '').slice(0, column - 1)).replace(/[^\t]/g, ' ');
    drawn.push(`  ${' '.repeat(width)} | ${before}^`);
  }
  return drawn.join('\n');
}

function numberIn(value: unknown): number | null {
  return typeof value === 'number' && Number.isInteger(value) && value > 0 ? value : null;
}
