import { hasWords, indexOfWord, type SqlToken, wordOf, writeOnOneLine } from '../tokens.ts';
import { type Reading, type Remark, report } from './found.ts';

/** Looks at ALTER TABLE and ALTER TYPE, action by action. */
export function examineAlter(reading: Reading, tokens: readonly SqlToken[]): void {
  const kind = wordOf(tokens[1]);
  if (kind !== 'TABLE' && kind !== 'TYPE') return;
  let at = hasWords(tokens, 2, 'IF', 'EXISTS') ? 4 : 2;
  if (hasWords(tokens, at, 'ONLY')) at += 1;
  at += 1;
  while (tokens[at]?.text === '.') at += 2;
  if (tokens[at]?.text === '*') at += 1;
  const [first, last] = [tokens[0], tokens[at - 1]];
  if (first === undefined || last === undefined) return;
  const head = writeOnOneLine(reading.text, first.start, last.end);
  for (const action of splitAtCommas(tokens.slice(at))) {
    const remark = kind === 'TABLE' ? remarkOnTable(action) : remarkOnType(action);
    const [begin, end] = [action[0], action.at(-1)];
    if (remark === undefined || begin === undefined || end === undefined) continue;
    report(reading, action, { ...remark, statement: `${head} ${writeOnOneLine(reading.text, begin.start, end.end)}` });
  }
}

function remarkOnTable(action: readonly SqlToken[]): Remark | undefined {
  switch (wordOf(action[0])) {
    case 'DROP': {
      // The word COLUMN may be left out.
      if (hasWords(action, 1, 'CONSTRAINT')) return undefined;
      const more = wordOf(action.at(-1)) === 'CASCADE' ? ' CASCADE also removes what depends on it.' : '';
      return { effect: 'destroys', why: `It removes the column with its values.${more}` };
    }
    case 'ALTER':
      return remarkOnColumn(action, hasWords(action, 1, 'COLUMN') ? 3 : 2);
    case 'SET':
      if (!hasWords(action, 1, 'UNLOGGED')) return undefined;
      return { effect: 'may_destroy', why: 'Postgres empties an unlogged table after a crash.' };
  }
  return undefined;
}

/** @param at number of the token behind the name of the column */
function remarkOnColumn(action: readonly SqlToken[], at: number): Remark | undefined {
  const from = hasWords(action, at, 'SET', 'DATA', 'TYPE') ? at + 3 : hasWords(action, at, 'TYPE') ? at + 1 : undefined;
  if (from === undefined) return undefined;
  const rest = action.slice(from);
  if (indexOfWord(rest, 'USING') < 0 && keepsEveryValue(rest)) return undefined;
  return { effect: 'may_destroy', why: 'It may rewrite every value of the column; what the new type cannot hold exactly is lost.' };
}

/** Every value has a text, so that text without a length loses none. */
function keepsEveryValue(type: readonly SqlToken[]): boolean {
  const collate = indexOfWord(type, 'COLLATE');
  const words = (collate < 0 ? type : type.slice(0, collate)).map((token) => (token.kind === 'group' ? '()' : token.text)).join(' ');
  return /^(PG_CATALOG \. )?(TEXT|VARCHAR|CHARACTER VARYING)$/.test(words);
}

function remarkOnType(action: readonly SqlToken[]): Remark | undefined {
  if (hasWords(action, 0, 'DROP', 'ATTRIBUTE'))
    return { effect: 'destroys', why: 'It removes the attribute from every value of the type that is stored.' };
  if (hasWords(action, 0, 'ALTER', 'ATTRIBUTE'))
    return { effect: 'may_destroy', why: 'It may rewrite every stored value of the type; what the new one cannot hold exactly is lost.' };
  return undefined;
}

function splitAtCommas(tokens: readonly SqlToken[]): SqlToken[][] {
  const parts: SqlToken[][] = [[]];
  for (const token of tokens) {
    if (token.text === ',' && token.kind === 'other') parts.push([]);
    else parts.at(-1)?.push(token);
  }
  return parts;
}
