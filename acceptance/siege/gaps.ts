import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import type { SiegeChapter } from './record.ts';

/** An attack as its test declares it. What is computed there, such as a number that is a setting, matches any text. */
interface DeclaredAttack {
  readonly text: string;
  readonly pattern: RegExp;
}

/** The attacks of one file of tests. */
interface DeclaredChapter {
  readonly file: string;
  readonly title: string;
  readonly attacks: readonly DeclaredAttack[];
}

/** What the page about attacks leaves out, has too much, or shows as not held; each in a sentence. */
export function siegeGaps(folder: string, recorded: readonly SiegeChapter[]): readonly string[] {
  const declared = readdirSync(folder)
    .filter((name) => name.endsWith('.test.ts'))
    .sort()
    .flatMap((name) => declaredIn(name, readFileSync(join(folder, name), 'utf8')));
  return [
    ...declared.flatMap((chapter) => gapsOf(chapter, recorded)),
    ...recorded
      .filter(({ title }) => !declared.some((one) => one.title === title))
      .map(({ title }) => `No test has the chapter "${title}".`),
    ...recorded.flatMap(({ title, attacks }) =>
      attacks.filter(({ seen }) => seen === undefined).map(({ attack }) => `"${attack}" of "${title}" did not hold, or was not tried.`),
    ),
  ];
}

function gapsOf({ file, title, attacks }: DeclaredChapter, recorded: readonly SiegeChapter[]): readonly string[] {
  const chapter = recorded.find((one) => one.title === title);
  if (chapter === undefined) return [`The chapter "${title}" of ${file} was never recorded.`];
  const lines = chapter.attacks.map(({ attack, bound }) => lineOf(attack, bound));
  return [
    ...attacks
      .filter(({ pattern }) => !lines.some((line) => pattern.test(line)))
      .map(({ text }) => `${file} has "${text}"; the page does not.`),
    ...lines
      .filter((line) => !attacks.some(({ pattern }) => pattern.test(line)))
      .map((line) => `The page has "${line}"; ${file} does not, with these words.`),
  ];
}

const lineOf = (attack: string, bound: string) => `${attack}: ${bound}`;

/** Reads the declarations from the source: running the files to list them takes longer than a check may. */
function declaredIn(file: string, source: string): readonly DeclaredChapter[] {
  const parsed = ts.createSourceFile(file, source, ts.ScriptTarget.Latest, true);
  const titles = new Map<string, string>();
  const attacks: { declarer: string; attack: DeclaredAttack }[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isVariableDeclaration(node) && node.initializer !== undefined && ts.isCallExpression(node.initializer)) {
      const { expression, arguments: given } = node.initializer;
      const [title] = given;
      if (expression.getText() === 'siegeChapter' && title !== undefined && ts.isStringLiteralLike(title))
        titles.set(node.name.getText(), title.text);
    }
    if (ts.isCallExpression(node) && node.arguments.length >= 2) {
      const [attack, bound] = node.arguments;
      if (attack !== undefined && bound !== undefined)
        attacks.push({ declarer: node.expression.getText(), attack: declaredAs(attack, bound) });
    }
    ts.forEachChild(node, visit);
  };
  visit(parsed);
  return [...titles].map(([declarer, title]) => ({
    file,
    title,
    attacks: attacks.filter((one) => one.declarer === declarer).map(({ attack }) => attack),
  }));
}

function declaredAs(attack: ts.Expression, bound: ts.Expression): DeclaredAttack {
  const parts = [...fixedPartsOf(attack), ': ', ...fixedPartsOf(bound)];
  const pattern = parts.map((part) => (part === undefined ? '.*' : part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'))).join('');
  return { text: parts.map((part) => part ?? '...').join(''), pattern: new RegExp(`^${pattern}$`, 's') };
}

/** The text of an expression, in pieces; undefined stands for one that is computed. */
function fixedPartsOf(expression: ts.Expression): readonly (string | undefined)[] {
  if (ts.isStringLiteralLike(expression)) return [expression.text];
  if (!ts.isTemplateExpression(expression)) return [undefined];
  return [expression.head.text, ...expression.templateSpans.flatMap(({ literal }) => [undefined, literal.text])];
}
