import { hasWords, type SqlToken, wordOf } from '../tokens.ts';
import { examineAlter } from './alter.ts';
import { examineDrop } from './drop.ts';
import { type Examiner, type Rule, report, spend } from './found.ts';
import { examineBlock, examineRoutine } from './routine.ts';
import { examineQuery, examineTruncate } from './rows.ts';

/** Looks at a statement. What begins with another word than those of `RULES` neither removes nor changes rows. */
export const examineStatement: Rule = (reading, tokens) => {
  const [first] = tokens;
  if (first === undefined || !examiner.knows(first)) return;
  reading.effort.depth += 1;
  if (spend(reading, tokens)) examineKnown(reading, tokens);
  reading.effort.depth -= 1;
};

const examineKnown: Rule = (reading, tokens) => {
  const [first] = tokens;
  // A query may stand in parentheses.
  if (first?.kind === 'group') examineQuery(reading, tokens);
  RULES.get(wordOf(first) ?? '')?.(reading, tokens);
};

/** EXPLAIN runs nothing, EXPLAIN ANALYZE everything. */
const examineExplain: Rule = (reading, tokens) => {
  const options = tokens[1];
  if (options?.kind === 'group') {
    if (runsByOptions(options.inside)) examineStatement(reading, tokens.slice(2));
    return;
  }
  let at = 1;
  while (['ANALYZE', 'ANALYSE', 'VERBOSE'].includes(wordOf(tokens[at]) ?? '')) at += 1;
  if (tokens.slice(1, at).some((token) => wordOf(token) !== 'VERBOSE')) examineStatement(reading, tokens.slice(at));
};

function runsByOptions(options: readonly SqlToken[]): boolean {
  const at = options.findIndex((token) => ['ANALYZE', 'ANALYSE'].includes(wordOf(token) ?? ''));
  return at >= 0 && !/^'?(false|off|0)'?$/i.test(options[at + 1]?.text ?? '');
}

const examineCall: Rule = (reading, tokens) => {
  report(reading, tokens, { effect: 'unseen', why: 'What the procedure does is not looked into.' });
};

const examineCreate: Rule = (reading, tokens) => {
  const kind = wordOf(tokens[hasWords(tokens, 1, 'OR', 'REPLACE') ? 3 : 1]) ?? '';
  if (kind === 'FUNCTION' || kind === 'PROCEDURE') examineRoutine(reading, tokens, examiner);
  else if (tokens.slice(1, 5).some((token) => ['TABLE', 'MATERIALIZED'].includes(wordOf(token) ?? ''))) examineAfterAs(reading, tokens);
};

const examineAfterAs: Rule = (reading, tokens) => {
  const as = tokens.findIndex((token) => wordOf(token) === 'AS');
  if (as >= 0) examineStatement(reading, tokens.slice(as + 1));
};

const RULES: ReadonlyMap<string, Rule> = new Map([
  ['DROP', examineDrop],
  ['ALTER', examineAlter],
  ['TRUNCATE', examineTruncate],
  ['DO', (reading, tokens) => examineBlock(reading, tokens, examiner)],
  ['CALL', examineCall],
  ['CREATE', examineCreate],
  ['EXPLAIN', examineExplain],
  ['PREPARE', examineAfterAs],
  ...['SELECT', 'PERFORM', 'INSERT', 'UPDATE', 'DELETE', 'MERGE', 'WITH', 'VALUES', 'COPY'].map((word) => [word, examineQuery] as const),
]);

const examiner: Examiner = {
  knows: (first) => first.kind === 'group' || RULES.has(wordOf(first) ?? ''),
  examine: examineStatement,
};
