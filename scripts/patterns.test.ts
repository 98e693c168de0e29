import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { expect, it } from 'vitest';

const PACKAGES = fileURLToPath(new URL('../packages', import.meta.url));

/** Every regular expression in the sources, with its place. */
function* patterns(): Generator<{ readonly place: string; readonly source: string }> {
  for (const name of ['contract', 'server', 'cli'])
    for (const path of readdirSync(join(PACKAGES, name, 'src'), { recursive: true, encoding: 'utf8' })) {
      if (!path.endsWith('.ts') || path.endsWith('.test.ts') || path.endsWith('.d.ts')) continue;
      const file = join(PACKAGES, name, 'src', path);
      const parsed = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, false);
      const found: { place: string; source: string }[] = [];
      const visit = (node: ts.Node): void => {
        if (ts.isRegularExpressionLiteral(node)) {
          const { text } = node;
          const { line } = parsed.getLineAndCharacterOfPosition(node.pos);
          found.push({ place: `${name}/src/${path}:${line + 1}`, source: text.slice(1, text.lastIndexOf('/')) });
        }
        ts.forEachChild(node, visit);
      };
      visit(parsed);
      yield* found;
    }
}

/**
 * The first group with a repetition without an end in it that is itself repeated without an end: such a pattern may try exponentially many
 * ways. A repetition within is harmless only when what follows it in the group begins differently, which a list has to vouch for.
 */
export function nestedRepetition(source: string): string | undefined {
  const open: { at: number; repeats: boolean }[] = [{ at: 0, repeats: false }];
  for (let at = 0; at < source.length; at++) {
    const character = source[at];
    if (character === '\\') at++;
    else if (character === '[') at = endOfClass(source, at);
    else if (character === '(') open.push({ at, repeats: false });
    else if (character === ')') {
      const group = open.pop();
      const around = open.at(-1);
      const isRepeated = isEndless(source, at + 1);
      if (group?.repeats && isRepeated) return source.slice(group.at, at + 2);
      if (around !== undefined && (isRepeated || group?.repeats)) around.repeats = true;
      continue;
    }
    if (character !== '(' && isEndless(source, at + 1)) (open.at(-1) as { repeats: boolean }).repeats = true;
  }
  return undefined;
}

/** Offset of the bracket that ends a class of characters. */
function endOfClass(source: string, start: number): number {
  for (let at = start + 1; at < source.length; at++) {
    if (source[at] === '\\') at++;
    else if (source[at] === ']') return at;
  }
  return source.length;
}

/** Whether `*`, `+` or `{n,}` stands there. */
function isEndless(source: string, at: number): boolean {
  return /^(?:[*+]|\{\d+,\})/.test(source.slice(at, at + 12));
}

it('finds a repetition in a repetition', () => {
  for (const bad of ['(a|b*)*', '(?:--[^\\n]*)*x', '((a+)b?)+', '(x{2,})*', '(?:[)]+)*']) expect(nestedRepetition(bad), bad).toBeDefined();
  for (const good of ['(ab)*', '(a|b)+c*', '[(*]*', '\\(a*\\)*', '(a*)?', '(?:a{1,9})*', '(a*)(b)*'])
    expect(nestedRepetition(good), good).toBeUndefined();
});

/** Patterns with a nested repetition whose parts begin differently, so that there is one way to match; each with the reason. */
const VOUCHED: readonly string[] = [
  // Each round begins with a separator that is no digit.
  String.raw`^V(\d+(?:[._]\d+)*)__`,
  String.raw`^V(\d+(?:[._]\d+)*)(?=__)`,
  String.raw`\d+(?:\.\d+)*|\D+`,
  // Each round begins with a blank that is no letter.
  '^[A-Z]+( [A-Z]+)*$',
];

it('no pattern repeats something that repeats', () => {
  const all = [...patterns()];
  expect(all.length).toBeGreaterThan(100);
  const bad = all.flatMap(({ place, source }) => {
    const nested = nestedRepetition(source);
    return nested === undefined || VOUCHED.includes(source) ? [] : [`${place}: /${source}/ has ${nested}`];
  });
  expect(bad).toEqual([]);
});
