import type { Effect, Found } from './dangers/found.ts';
import { analyseStatement } from './dangers/statement.ts';
import type { Grammar } from './grammar.ts';
import { createPlaceCounter, type SqlPlace, splitSql } from './split.ts';

/** A statement that destroys data, or that could not be analysed, with its place in the text. */
export interface Danger extends SqlPlace {
  readonly effect: Effect;
  /** The statement, or the part of it that destroys data, on one line. */
  readonly statement: string;
  /** What would be lost, or why it could not be analysed, in a sentence or two. */
  readonly why: string;
}

const MAX_CHARACTERS = 500;

/**
 * Finds the statements of a text that destroy data when they run. It reads the text only and knows nothing of the database: it
 * prefers a false alarm where the answer depends on what is there. A statement that the grammar does not know, or that is too
 * long for the parser, is marked as `unseen`. What functions and triggers do when a statement calls them is not analysed;
 * routines that are defined here, and DO blocks, are.
 */
export async function findDangers(sql: string, grammar: Grammar): Promise<readonly Danger[]> {
  const found: Found[] = [];
  for (const { start, text } of splitSql(sql).statements) {
    const analysis = { grammar, depth: 0, budget: { left: 2000 + 4 * text.length } };
    found.push(...(await analyseStatement(analysis, { text, locate: (offset) => start + offset })));
  }
  const placeOf = createPlaceCounter(sql);
  return found
    .sort((a, b) => a.at - b.at)
    .map(({ at, effect, statement, why }) => ({ ...placeOf(at), effect, statement: excerptOf(statement), why }));
}

function excerptOf(statement: string): string {
  // A character is one or two units of the text.
  const characters = [...statement.slice(0, 2 * MAX_CHARACTERS + 2)];
  return characters.length <= MAX_CHARACTERS ? statement : `${characters.slice(0, MAX_CHARACTERS - 1).join('')}…`;
}
