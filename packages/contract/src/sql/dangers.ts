import { createEffort, type Effect, type Found, type Reading } from './dangers/found.ts';
import { examineStatement } from './dangers/statement.ts';
import { createPlaceCounter, type SqlPlace, splitSql } from './split.ts';
import { readTokens } from './tokens.ts';

/** A statement that destroys data, or of which that cannot be told, with its place in the text. */
export interface Danger extends SqlPlace {
  readonly effect: Effect;
  /** The statement, or the part of it that does it, on one line. */
  readonly statement: string;
  /** What would be lost, or what cannot be seen, in a sentence or two. */
  readonly why: string;
}

/** Words without which a statement is none of these: files of thousands of INSERTs are passed over quickly. */
const SUSPICIOUS = /drop|truncate|delete|update|merge|alter|lo_unlink|lo_truncate|\b(?:do|call|function|procedure)\b/i;
const MOST_CHARACTERS = 500;

/**
 * Finds the statements of a text that destroy data when they run. It reads the text alone and knows nothing of the database:
 * it errs towards a mark where the answer depends on what is there. What functions and triggers do when a statement calls
 * them stays unseen; routines that are defined or run here by name of the language are looked into.
 */
export function findDangers(sql: string): readonly Danger[] {
  const found: Found[] = [];
  for (const { start, end, text } of splitSql(sql).statements) {
    if (!SUSPICIOUS.test(text)) continue;
    const effort = createEffort(text.length);
    const reading: Reading = { text: sql, effort, locate: (offset) => offset, report: (one) => found.push(one) };
    examineStatement(reading, readTokens(sql, start, end));
  }
  const placeOf = createPlaceCounter(sql);
  return found
    .sort((a, b) => a.at - b.at)
    .map(({ at, effect, statement, why }) => ({ ...placeOf(at), effect, statement: excerptOf(statement), why }));
}

function excerptOf(statement: string): string {
  // A character is one or two units of the text.
  const characters = [...statement.slice(0, 2 * MOST_CHARACTERS + 2)];
  return characters.length <= MOST_CHARACTERS ? statement : `${characters.slice(0, MOST_CHARACTERS - 1).join('')}…`;
}
