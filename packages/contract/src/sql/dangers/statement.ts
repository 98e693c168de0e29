import { fieldsOf, listOf, type Met, stringOf, type Tree, walkTree } from '../grammar.ts';
import { scanToken } from '../scan.ts';
import { type Analyse, type Analysis, couldNotAnalyse, type Found, type Fragment } from './found.ts';
import { onWhole } from './places.ts';
import { examineBody } from './routine.ts';
import { examineNode } from './rules.ts';

/** Words without which a statement of {@link HARMLESS_BEGINNINGS} destroys nothing: files of thousands of INSERTs are passed over. */
const SUSPICIOUS = /drop|truncate|delete|update|merge|alter|lo_unlink|lo_truncate|u&["']|flux_name|\b(?:do|call|function|procedure)\b/i;
/** Statements that destroy nothing without a suspicious word. Any other beginning is parsed, since it may be a newer statement. */
const HARMLESS_BEGINNINGS = new Set(
  'SELECT INSERT VALUES WITH TABLE CREATE COMMENT GRANT REVOKE SET RESET SHOW COPY BEGIN COMMIT END START LOCK ANALYZE REFRESH NOTIFY'.split(
    ' ',
  ),
);

/** Analyses one statement by its parse tree. What the grammar does not read is reported as such, never passed over. */
export const analyseStatement: Analyse = async (analysis, fragment) => {
  if (isHarmless(fragment.text)) return [];
  const parsed = await analysis.grammar.parseSql(fragment.text);
  if ('refused' in parsed) return hasSuspiciousToken(fragment.text) ? [onWhole(fragment, couldNotAnalyse(parsed.refused))] : [];
  const found: Found[] = [];
  const bodies: Met[] = [];
  walkTree(parsed.tree, (node) => {
    const { kind, fields } = node;
    if (kind === 'DoStmt' || kind === 'CreateFunctionStmt') bodies.push(node);
    if (kind === 'CreateFunctionStmt') found.push(...asDefinition(findIn(fragment, fields.sql_body)));
    else if (kind === 'RuleStmt') found.push(...asDefinition(findIn(fragment, fields.actions)));
    else if (kind !== 'ExplainStmt' || runsByOptions(fields)) {
      found.push(...examineNode(fragment, node));
      return 'enter';
    }
    return 'skip';
  });
  for (const body of bodies) found.push(...(await examineStoredBody(analysis, fragment, body)));
  return found;
};

/** Tells from words alone that nothing in a statement destroys data; strings count, so this is quick and errs towards parsing. */
function isHarmless(text: string): boolean {
  return HARMLESS_BEGINNINGS.has(/^\w+/.exec(text)?.[0].toUpperCase() ?? '') && !SUSPICIOUS.test(text);
}

/**
 * The same for a statement that the parser refuses, by its tokens: a word inside of the data of an INSERT that is too long
 * to be parsed is no reason for an alarm.
 */
function hasSuspiciousToken(text: string): boolean {
  if (!HARMLESS_BEGINNINGS.has(/^\w+/.exec(text)?.[0].toUpperCase() ?? '')) return true;
  for (let at = 0; at < text.length; ) {
    const { kind, end } = scanToken(text, at);
    if ((kind === 'word' || kind === 'quoted') && SUSPICIOUS.test(text.slice(at, end))) return true;
    at = end;
  }
  return false;
}

function findIn(fragment: Fragment, tree: unknown): Found[] {
  const found: Found[] = [];
  walkTree(tree, (node) => {
    found.push(...examineNode(fragment, node));
    return 'enter';
  });
  return found;
}

async function examineStoredBody(analysis: Analysis, fragment: Fragment, { kind, fields }: Met): Promise<readonly Found[]> {
  if (kind === 'CreateFunctionStmt' && fields.sql_body !== undefined) return [];
  const options = listOf(fields.options ?? fields.args).map((option) => fieldsOf(option, 'DefElem') ?? {});
  const language = stringOf(options.find(({ defname }) => defname === 'language')?.arg) ?? (kind === 'DoStmt' ? 'plpgsql' : 'sql');
  const as = options.find(({ defname }) => defname === 'as');
  const decoded = stringOf(as?.arg) ?? stringOf(listOf(fieldsOf(as?.arg, 'List')?.items)[0]) ?? '';
  const body = { fragment, language: language.toLowerCase(), decoded, location: as?.location };
  const found = await examineBody(analysis, body, analyseStatement);
  if (kind === 'CreateFunctionStmt') return asDefinition(found);
  return found.map((one) => (one.effect === 'unseen' ? one : { ...one, why: `${one.why} It is in a DO block, which may not reach it.` }));
}

/** A definition runs nothing; what it would do is said once, since something may run it later. */
function asDefinition(found: readonly Found[]): readonly Found[] {
  const one = found.find(({ effect }) => effect !== 'unseen') ?? found[0];
  if (one === undefined) return [];
  return [{ ...one, effect: 'unseen', why: `${one.why} It is only defined here; what runs it later could not be analysed.` }];
}

/** EXPLAIN runs nothing, EXPLAIN ANALYZE everything; of an option that is given twice the last one counts. */
function runsByOptions({ options }: Tree): boolean {
  const analyze = listOf(options)
    .map((option) => fieldsOf(option, 'DefElem') ?? {})
    .findLast(({ defname }) => defname === 'analyze');
  if (analyze === undefined) return false;
  return !/"(false|off|0)"|"ival":0|"Integer":\{\}|"boolval":false|"Boolean":\{\}/i.test(JSON.stringify(analyze.arg ?? ''));
}
