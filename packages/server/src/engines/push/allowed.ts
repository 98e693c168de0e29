import { FluxError } from '@flux/contract/errors';
import type { SqlPlace, SqlStatement } from '@flux/contract/sql/split';

/** The first 500 characters of a statement: enough to recognise it, short enough for a terminal. */
export function excerptOf(statement: SqlStatement): string {
  return [...statement.text.slice(0, 1000)].slice(0, 500).join('');
}

/** The error for text that is not sent to the server. */
export function refuseText(filename: string, place: SqlPlace, problem: string, hint: string, statement?: SqlStatement): FluxError {
  return new FluxError('sql_not_allowed', `${filename}:${place.line}: ${problem}. Nothing of this file was applied.`, {
    hint,
    details: {
      filename,
      problem,
      advice: hint,
      line: place.line,
      column: place.column,
      ...(statement && { statement: excerptOf(statement) }),
    },
  });
}
