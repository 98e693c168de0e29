import { fieldsOf, type Tree, walkTree } from '../grammar.ts';
import { splitSql } from '../split.ts';
import { readTokens, type SqlToken } from '../tokens.ts';
import { examineDynamic } from './dynamic.ts';
import { type Analyse, type Analysis, couldNotAnalyse, descend, type Found, type Fragment } from './found.ts';
import { offsetOfByte, onWhole, openString } from './places.ts';

/** The body of a DO block or a routine. */
export interface Body {
  /** The statement that contains it. */
  readonly fragment: Fragment;
  readonly language: string;
  /** The body as the server reads it. */
  readonly decoded: string;
  /** The byte of the statement at which `AS` or the body begins. */
  readonly location: unknown;
}

/** A body without any of these words cannot destroy data directly. */
const SUSPICIOUS = /drop|truncate|delete|update|merge|alter|lo_unlink|lo_truncate|execute|u&|\b(?:do|call)\b/i;

/** Analyses a body, statement by statement. */
export async function examineBody(analysis: Analysis, body: Body, analyse: Analyse): Promise<readonly Found[]> {
  const { fragment, language, decoded } = body;
  const inner = descend(analysis, decoded.length);
  if (inner === undefined) return [onWhole(fragment, couldNotAnalyse('it is nested too deeply'))];
  if (language === 'internal' || language === 'c') return [];
  if (language !== 'sql' && language !== 'plpgsql') return [onWhole(fragment, couldNotAnalyse(`its body is in ${language}`))];
  if (!SUSPICIOUS.test(decoded)) return [];
  const inside = openBody(body);
  if (language === 'plpgsql') return await examinePlpgsql(inner, fragment, inside, analyse);
  const found: Found[] = [];
  for (const { text, start } of splitSql(inside.text).statements)
    found.push(...(await analyse(inner, { text, locate: (offset) => inside.locate(start + offset) })));
  return found;
}

/** The body with its place; that of an escape string is the place of the string. */
function openBody({ fragment, decoded, location }: Body): Fragment {
  const from = offsetOfByte(fragment.text, typeof location === 'number' ? location : 0);
  const token = readTokens(fragment.text).find(({ kind, start }: SqlToken) => kind === 'string' && start >= from);
  const opened = token && openString(fragment, token);
  return opened ?? { text: decoded, locate: () => fragment.locate(token?.start ?? 0) };
}

/** One statement or expression of PL/pgSQL. */
interface Step {
  readonly query: string;
  readonly line: number;
  readonly kind: 'statement' | 'expression' | 'dynamic';
}

async function examinePlpgsql(analysis: Analysis, statement: Fragment, body: Fragment, analyse: Analyse): Promise<readonly Found[]> {
  const parsed = await analysis.grammar.parsePlpgsql(statement.text);
  if ('refused' in parsed) return [onWhole(statement, couldNotAnalyse(parsed.refused))];
  const placeOf = createStepPlaces(body);
  const found: Found[] = [];
  for (const step of stepsOf(parsed.tree)) {
    const place = placeOf(step);
    if (step.kind === 'dynamic') found.push(...(await examineDynamic(analysis, place, step.query, analyse)));
    else if (step.kind === 'statement') found.push(...(await analyse(analysis, place)));
    else if (/lo_unlink|lo_truncate|u&/i.test(step.query)) {
      // An assignment is `name := expression`.
      const expression = step.query.replace(/^[^=(']*?:?=/, '');
      found.push(...(await analyse(analysis, { text: `SELECT ${expression}`, locate: () => place.locate(0) })));
    }
  }
  return found;
}

/** `parseMode` of a whole statement, RAW_PARSE_DEFAULT; others are expressions and assignments. */
const WHOLE_STATEMENT = 0;

function stepsOf(tree: Tree): readonly Step[] {
  const steps: Step[] = [];
  const dynamic = new Set<unknown>();
  let line = 1;
  walkTree(tree, ({ kind, fields }) => {
    if (typeof fields.lineno === 'number' && kind.startsWith('PLpgSQL_stmt')) line = fields.lineno;
    if (kind === 'PLpgSQL_stmt_dynexecute' || kind === 'PLpgSQL_stmt_dynfors') dynamic.add(fieldsOf(fields.query, 'PLpgSQL_expr'));
    if (fields.dynquery !== undefined) dynamic.add(fieldsOf(fields.dynquery, 'PLpgSQL_expr'));
    if (kind !== 'PLpgSQL_expr') return 'enter';
    const usual = fields.parseMode === WHOLE_STATEMENT ? 'statement' : 'expression';
    steps.push({ query: String(fields.query ?? ''), line, kind: dynamic.has(fields) ? 'dynamic' : usual });
    return 'enter';
  });
  return steps;
}

/** Finds steps in the body by their line and text; PL/pgSQL keeps the text as it is written, but not the column. */
function createStepPlaces(body: Fragment): (step: Step) => Fragment {
  const lines = [0];
  for (let at = body.text.indexOf('\n'); at >= 0; at = body.text.indexOf('\n', at + 1)) lines.push(at + 1);
  // Steps on one line come in their order; each is searched for behind the one before.
  let last = { line: 0, end: 0 };
  return ({ query, line, kind }) => {
    const from = line === last.line ? last.end : (lines[line - 1] ?? 0);
    const at = body.text.indexOf(query, from);
    if (at < 0) return { text: query, locate: () => body.locate(from) };
    last = { line, end: at + query.length };
    const before = kind === 'dynamic' ? (/execute\s*$/i.exec(body.text.slice(Math.max(0, at - 40), at))?.[0].length ?? 0) : 0;
    const start = at - before;
    return { text: body.text.slice(start, at + query.length), locate: (offset) => body.locate(start + offset) };
  };
}
