import { hasWords, type SqlToken, wordOf } from '../tokens.ts';
import { type Reading, type Remark, report } from './found.ts';

const WITH_IT = ' CASCADE also removes what depends on it.';

/** Looks at DROP: at what holds rows, and at what takes columns away with it. */
export function examineDrop(reading: Reading, tokens: readonly SqlToken[]): void {
  const remark = remarkOn(tokens);
  if (remark !== undefined) report(reading, tokens, remark);
}

function remarkOn(tokens: readonly SqlToken[]): Remark | undefined {
  const cascades = wordOf(tokens.at(-1)) === 'CASCADE';
  const more = cascades ? WITH_IT : '';
  const destroys = (why: string): Remark => ({ effect: 'destroys', why: why + more });
  const mayDestroy = (why: string): Remark => ({ effect: 'may_destroy', why: why + more });
  switch (wordOf(tokens[1])) {
    case 'TABLE':
      return destroys('It removes the table and every row in it.');
    case 'DATABASE':
      return destroys('It removes the database and everything in it.');
    case 'SCHEMA':
      if (cascades) return { effect: 'destroys', why: 'It removes the schema with every table in it.' };
      return mayDestroy('It removes the schema; without CASCADE, Postgres refuses while anything is in it.');
    case 'OWNED':
      return destroys('It removes every table and everything else that the role owns here.');
    case 'MATERIALIZED':
      return mayDestroy('It removes the rows that the view keeps; its query may not bring the same ones back.');
    case 'SEQUENCE':
      return mayDestroy('The number that the sequence had come to is lost.');
    case 'TYPE':
    case 'DOMAIN':
    case 'EXTENSION':
    case 'COLLATION':
      // Without CASCADE, Postgres refuses while a column uses it.
      return cascades ? { effect: 'destroys', why: 'CASCADE removes every column that uses it, with its values.' } : undefined;
    case 'INDEX':
    case 'POLICY':
    case 'TRIGGER':
    case 'RULE':
    case 'PUBLICATION':
    case 'SUBSCRIPTION':
      return undefined;
    case 'FOREIGN':
      // The rows of a foreign table are elsewhere.
      return cascades && hasWords(tokens, 2, 'TABLE') ? mayDestroy('The rows are elsewhere.') : undefined;
    default:
      return cascades ? { effect: 'may_destroy', why: 'CASCADE removes whatever depends on it; columns may be among that.' } : undefined;
  }
}
