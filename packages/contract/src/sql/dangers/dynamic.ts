import { fieldsOf, lastNameOf, listOf, type Tree } from '../grammar.ts';
import { splitSql } from '../split.ts';
import { type Analyse, type Analysis, couldNotAnalyse, descend, type Found, type Fragment, NAME_TO_COME } from './found.ts';
import { onWhole } from './places.ts';

/** The text of a dynamic statement, with names in the place of what is only known when it runs. */
interface Template {
  readonly text: string;
  /** Everything unknown is quoted as one name or one constant, so that the grammar sees all that can run. */
  readonly isClosed: boolean;
}

const NAME: Template = { text: NAME_TO_COME, isClosed: true };
const CONSTANT: Template = { text: "'flux_constant'", isClosed: true };
const ANYTHING: Template = { text: ' flux_text ', isClosed: false };

/**
 * Analyses the expression that EXECUTE runs. A constant, and a text with nothing but quoted names and constants put in, are
 * analysed like a statement that is written out. Of any other text only a DROP, TRUNCATE or ALTER that it begins with is
 * certain; the rest could not be analysed.
 *
 * @param shown the EXECUTE as it is written
 */
export async function examineDynamic(analysis: Analysis, shown: Fragment, expression: string, analyse: Analyse): Promise<readonly Found[]> {
  const parsed = await analysis.grammar.parseSql(`SELECT ${expression}`);
  if ('refused' in parsed) return [onWhole(shown, couldNotAnalyse(parsed.refused))];
  const [statement, ...others] = listOf(parsed.tree.stmts);
  const select = fieldsOf((statement as Tree | undefined)?.stmt, 'SelectStmt');
  const target = fieldsOf(listOf(select?.targetList)[0], 'ResTarget');
  const { text, isClosed } = others.length > 0 || target === undefined ? ANYTHING : templateOf(target.val, 0);
  const inner = descend(analysis, text.length);
  if (inner === undefined) return [onWhole(shown, couldNotAnalyse('it is nested too deeply'))];
  const found: Found[] = [];
  for (const { text: one } of splitSql(text).statements)
    found.push(...(await analyse(inner, { text: one, locate: () => shown.locate(0) })));
  // A constant is shown as the statement that it is, anything else as it is written.
  if (isClosed) return text.includes('flux_') ? found.map((one) => onWhole(shown, one)) : found;
  const certain = found.find(({ effect, statement: what }) => effect === 'destroys' && /^(drop|truncate|alter)\b/i.test(what));
  return [
    onWhole(shown, certain ?? { effect: 'unseen', why: 'The statement is put together while it runs, so it could not be analysed.' }),
  ];
}

/** Longer chains of `||` are not followed. */
const MAX_DEPTH = 500;

function templateOf(node: unknown, depth: number): Template {
  if (depth > MAX_DEPTH) return ANYTHING;
  const constant = fieldsOf(node, 'A_Const')?.sval as Tree | undefined;
  if (constant !== undefined) return { text: String(constant.sval ?? ''), isClosed: true };
  const cast = fieldsOf(node, 'TypeCast');
  if (cast !== undefined) return templateOf(cast.arg, depth + 1);
  const operation = fieldsOf(node, 'A_Expr');
  if (operation !== undefined && lastNameOf(operation.name) === '||')
    return join([templateOf(operation.lexpr, depth + 1), templateOf(operation.rexpr, depth + 1)]);
  const call = fieldsOf(node, 'FuncCall');
  if (call === undefined) return ANYTHING;
  const args = listOf(call.args);
  switch (lastNameOf(call.funcname)) {
    case 'quote_ident':
      return NAME;
    case 'quote_literal':
    case 'quote_nullable':
      return CONSTANT;
    case 'concat':
      return join(args.map((arg) => templateOf(arg, depth + 1)));
    case 'format':
      return fillFormat(templateOf(args[0], depth + 1));
  }
  return ANYTHING;
}

/** The parts of format(): `%I` is a name, `%L` a constant, `%s` any text. Source: the manual, 9.4.1 "format". */
function fillFormat({ text, isClosed }: Template): Template {
  let closed = isClosed;
  const filled = text.replaceAll(/%(?:%|(?:\d+\$)?-?(?:\d+|\*(?:\d+\$)?)?([IsL]))/g, (part, kind: string | undefined) => {
    if (kind === undefined) return part === '%%' ? '%' : part;
    if (kind === 's') closed = false;
    return kind === 'I' ? NAME.text : kind === 'L' ? CONSTANT.text : ANYTHING.text;
  });
  return { text: filled, isClosed: closed };
}

function join(parts: readonly Template[]): Template {
  return { text: parts.map(({ text }) => text).join(''), isClosed: parts.every(({ isClosed }) => isClosed) };
}
