import { hasWords, indexOfWord, type SqlToken, wordOf } from '../tokens.ts';
import { type Reading, report, spend } from './found.ts';

/** Looks at TRUNCATE. */
export function examineTruncate(reading: Reading, tokens: readonly SqlToken[]): void {
  const more = wordOf(tokens.at(-1)) === 'CASCADE' ? ' CASCADE empties every table that refers to it, too.' : '';
  report(reading, tokens, { effect: 'destroys', why: `TRUNCATE removes every row.${more}` });
}

/** Looks at a query and at every query inside its parentheses: DELETE and UPDATE may stand in WITH and in COPY. */
export function examineQuery(reading: Reading, tokens: readonly SqlToken[]): void {
  const main = tokens.slice(mainOf(tokens));
  if (hasWords(main, 0, 'DELETE', 'FROM')) examineDelete(reading, main);
  else if (wordOf(main[0]) === 'UPDATE') examineUpdate(reading, main);
  else if (wordOf(main[0]) === 'MERGE') examineMerge(reading, main);
  tokens.forEach((token, index) => {
    if (token.kind !== 'group') return;
    if (/^"?(lo_unlink|lo_truncate|lo_truncate64)"?$/i.test(tokens[index - 1]?.text ?? ''))
      report(reading, tokens.slice(index - 1, index + 1), { effect: 'destroys', why: 'It removes large objects or their content.' });
    // A query of some length may be part of many steps of a body.
    if (spend(reading, token.inside)) examineQuery(reading, token.inside);
  });
}

function examineDelete(reading: Reading, tokens: readonly SqlToken[]): void {
  const lack = lackOfCondition(tokens);
  if (lack === undefined) return;
  // USING without WHERE pairs every row with every row.
  report(reading, tokens, { effect: 'destroys', why: `${lack}, so it removes every row of the table.` });
}

function examineUpdate(reading: Reading, tokens: readonly SqlToken[]): void {
  const set = indexOfWord(tokens, 'SET');
  // `ON CONFLICT DO UPDATE SET` and the column list `(update, set)` are no UPDATE statements.
  if (set < 2 || tokens.slice(0, set).some(({ text }) => text === ',')) return;
  const lack = lackOfCondition(tokens);
  if (lack === undefined) return;
  report(reading, tokens, { effect: 'may_destroy', why: `${lack}, so it overwrites every row of the table.` });
}

function examineMerge(reading: Reading, tokens: readonly SqlToken[]): void {
  const at = tokens.findIndex((_, index) => hasWords(tokens, index, 'NOT', 'MATCHED', 'BY', 'SOURCE'));
  if (at < 0 || !tokens.some((_, index) => index > at && hasWords(tokens, index, 'THEN', 'DELETE'))) return;
  report(reading, tokens, { effect: 'may_destroy', why: 'It removes every row that the source does not have.' });
}

/** Why a DELETE or UPDATE has no condition, or undefined when it has one. Only a WHERE of its own counts, none in parentheses. */
function lackOfCondition(tokens: readonly SqlToken[]): string | undefined {
  const where = indexOfWord(tokens, 'WHERE');
  if (where < 0) return 'It has no WHERE';
  const after = tokens.slice(where + 1);
  const end = indexOfWord(after, 'RETURNING');
  return isAlwaysTrue(end < 0 ? after : after.slice(0, end)) ? 'Its WHERE is true for every row' : undefined;
}

/** Sees `true`, `1 = 1` and the like, which are written to silence tools that ask for a WHERE. */
function isAlwaysTrue(condition: readonly SqlToken[]): boolean {
  const [only] = condition;
  if (condition.length === 1) return only?.kind === 'group' ? isAlwaysTrue(only.inside) : wordOf(only) === 'TRUE';
  const texts = condition.map(({ text }) => text);
  const equals = texts.indexOf('=');
  const isConstant = condition.every(({ kind, text }) => kind === 'string' || text === '=' || /^[\d.]$/.test(text));
  return isConstant && equals > 0 && texts.slice(0, equals).join('') === texts.slice(equals + 1).join('');
}

const MAIN = ['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'MERGE', 'VALUES', 'TABLE'];

/** Number of the token where the statement behind a WITH begins: names of its queries may be words such as `delete`. */
function mainOf(tokens: readonly SqlToken[]): number {
  if (wordOf(tokens[0]) !== 'WITH') return 0;
  let at = hasWords(tokens, 1, 'RECURSIVE') ? 2 : 1;
  while (at < tokens.length) {
    // The name, the names of its columns, AS, how to keep it, and the query in parentheses.
    at += 1;
    while (at < tokens.length && (tokens[at]?.kind === 'group' || ['AS', 'NOT', 'MATERIALIZED'].includes(wordOf(tokens[at]) ?? '')))
      at += 1;
    // SEARCH and CYCLE may follow.
    while (at < tokens.length && tokens[at]?.text !== ',' && !MAIN.includes(wordOf(tokens[at]) ?? '')) at += 1;
    if (tokens[at]?.text !== ',') return at;
    at += 1;
  }
  return at;
}
