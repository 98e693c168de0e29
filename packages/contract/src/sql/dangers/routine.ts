import { splitSql } from '../split.ts';
import { hasWords, indexOfWord, readTokens, type SqlToken, wordOf, writeOnOneLine } from '../tokens.ts';
import { type Examiner, type Found, type Reading, report, spend } from './found.ts';

/** Looks into DO. */
export function examineBlock(reading: Reading, tokens: readonly SqlToken[], examiner: Examiner): void {
  const found = examineBody(reading, tokens, examiner, 'plpgsql');
  if (typeof found === 'string') {
    report(reading, tokens, { effect: 'unseen', why: found });
    return;
  }
  for (const one of found)
    reading.report(one.effect === 'unseen' ? one : { ...one, why: `${one.why} It stands in a DO block, which may not come to it.` });
}

/** Looks into CREATE FUNCTION and CREATE PROCEDURE, which run nothing; what they would do is said, since something may call them. */
export function examineRoutine(reading: Reading, tokens: readonly SqlToken[], examiner: Examiner): void {
  const found = examineBody(reading, tokens, examiner, 'sql');
  if (typeof found === 'string') return;
  const one = found.find(({ effect }) => effect !== 'unseen') ?? found[0];
  if (one === undefined) return;
  reading.report({ ...one, effect: 'unseen', why: `${one.why} It is only defined here; whether something calls it is not seen.` });
}

/** What is found in the body of a routine, or a sentence that says why nothing can be seen in it. */
function examineBody(reading: Reading, tokens: readonly SqlToken[], examiner: Examiner, usual: string): readonly Found[] | string {
  const found: Found[] = [];
  const collecting: Reading = { ...reading, report: (one) => found.push(one) };
  const atomic = tokens.findIndex((_, index) => hasWords(tokens, index, 'BEGIN', 'ATOMIC'));
  if (atomic >= 0) {
    examineSteps(collecting, tokens.slice(atomic + 2), examiner);
    return found;
  }
  const named = tokens[indexOfWord(tokens, 'LANGUAGE') + 1];
  const language = indexOfWord(tokens, 'LANGUAGE') < 0 ? usual : (named?.text ?? '').replaceAll(/['"]/g, '').toLowerCase();
  if (language !== 'plpgsql' && language !== 'sql') return `What its body in ${language} does is not looked into.`;
  // After AS in a definition; the strings of DEFAULT and SET come before it.
  const body = tokens.slice(indexOfWord(tokens, 'AS') + 1).find((token) => token.kind === 'string' && token !== named);
  if (body === undefined) return 'Its body is not found.';
  const inner = openString(collecting, body);
  if (inner === undefined) return 'Its body is an escape string, which is not looked into.';
  if (spend(reading, tokens, inner.to - inner.from))
    examineSteps(inner.reading, readTokens(inner.reading.text, inner.from, inner.to), examiner);
  return found;
}

/** After these words another statement begins, in PL/pgSQL. */
const BEFORE_STEP = ['BEGIN', 'THEN', 'ELSE', 'LOOP', 'ATOMIC'];
const BEFORE_QUERY = ['IN', 'QUERY', 'FOR'];

/** Looks at every place of a body where a statement may begin. */
function examineSteps(reading: Reading, tokens: readonly SqlToken[], examiner: Examiner): void {
  let end = -1;
  for (const [index, token] of tokens.entries()) {
    if (reading.effort.isExhausted) return;
    const before = tokens[index - 1];
    const isStep = before === undefined || before.kind === 'semicolon' || BEFORE_STEP.includes(wordOf(before) ?? '') || before.text === '>';
    const isQuery = BEFORE_QUERY.includes(wordOf(before) ?? '');
    if (!isStep && !isQuery) continue;
    const isDynamic = wordOf(token) === 'EXECUTE';
    if (!isDynamic && !examiner.knows(token)) continue;
    if (end < index) {
      end = index;
      while (end < tokens.length && tokens[end]?.kind !== 'semicolon') end += 1;
    }
    if (!spend(reading, [token], end - index)) return;
    let step = tokens.slice(index, end);
    if (isQuery) {
      const loop = indexOfWord(step, 'LOOP');
      if (loop >= 0) step = step.slice(0, loop);
    }
    if (isDynamic) examineDynamic(reading, step, examiner);
    else if (isStep || wordOf(token) !== 'UPDATE') examiner.examine(reading, step);
  }
}

/** Looks at EXECUTE of PL/pgSQL: a constant is read, of anything else only what its constant parts make certain is said. */
function examineDynamic(reading: Reading, tokens: readonly SqlToken[], examiner: Examiner): void {
  const end = indexOfWord(tokens, 'INTO', 'USING');
  const expression = tokens.slice(1, end < 0 ? tokens.length : end);
  const parts = stringsIn(expression).map((token) => openString(reading, token));
  const texts = parts.map((part) => (part === undefined ? 'x' : part.reading.text.slice(part.from, part.to)));
  const isConstant = expression.length === 1 && expression[0]?.kind === 'string' && parts[0] !== undefined;
  const text = texts.join(' x ').replaceAll(/%(?:\d+\$)?[IsL]/g, 'x');
  const found: Found[] = [];
  const at = reading.locate(tokens[0]?.start ?? 0);
  const inner: Reading = { text, effort: reading.effort, locate: () => at, report: (one) => found.push(one) };
  if (spend(reading, tokens, text.length))
    for (const statement of splitSql(text).statements) examiner.examine(inner, readTokens(text, statement.start, statement.end));
  if (isConstant) {
    for (const one of found) reading.report(one);
    return;
  }
  const certain = found.find(({ effect, statement }) => effect === 'destroys' && /^(DROP|TRUNCATE|ALTER)\b/i.test(statement));
  const shown = writeOnOneLine(reading.text, tokens[0]?.start ?? 0, tokens.at(-1)?.end ?? 0);
  if (certain === undefined)
    report(reading, tokens, { effect: 'unseen', why: 'The statement is put together while it runs, so what it does is not seen.' });
  else reading.report({ ...certain, statement: shown });
}

function stringsIn(tokens: readonly SqlToken[]): SqlToken[] {
  return tokens.flatMap((token) => (token.kind === 'string' ? [token] : stringsIn(token.inside)));
}

/** The text inside a string, with offsets that still fit; undefined for an escape string, whose text is another one. */
function openString(
  reading: Reading,
  token: SqlToken,
): { readonly reading: Reading; readonly from: number; readonly to: number } | undefined {
  const tag = /^\$[^$]*\$/.exec(token.text)?.[0];
  if (tag !== undefined) {
    const isClosed = token.text.length >= 2 * tag.length && token.text.endsWith(tag);
    return { reading, from: token.start + tag.length, to: isClosed ? token.end - tag.length : token.end };
  }
  if (!token.text.startsWith("'")) return undefined;
  // A doubled quote stands for one; the space keeps every offset behind it.
  const text = token.text.slice(1, token.text.endsWith("'") ? -1 : undefined).replaceAll("''", "' ");
  return { reading: { ...reading, text, locate: (offset) => reading.locate(token.start + 1 + offset) }, from: 0, to: text.length };
}
