import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { expect, it } from 'vitest';

const PACKAGES = fileURLToPath(new URL('../packages', import.meta.url));

/** `new RegExp(...)` or `RegExp(...)`. */
function isConstructor(node: ts.Node): node is ts.NewExpression | ts.CallExpression {
  return (ts.isNewExpression(node) || ts.isCallExpression(node)) && ts.isIdentifier(node.expression) && node.expression.text === 'RegExp';
}

/** What stands for a value that a pattern is put together with, in its text. */
const VALUE = '\u0001';

/** The source of a constructed pattern. `VALUE` stands for each value in it, and for a source that is not a literal. */
function sourceOf(argument: ts.Expression | undefined, file: ts.SourceFile): string {
  if (argument === undefined) return '';
  if (ts.isStringLiteralLike(argument)) return argument.text;
  // The raw text of a tagged template, as `String.raw` gives it.
  if (ts.isTaggedTemplateExpression(argument)) {
    const text = argument.template.getText(file).slice(1, -1);
    return text.replaceAll(/\$\{[^}]*\}/g, VALUE);
  }
  if (ts.isTemplateExpression(argument))
    return argument.head.text + argument.templateSpans.map(({ literal }) => VALUE + literal.text).join('');
  return VALUE;
}

/** Every regular expression in the sources, literal or constructed, with its place. */
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
        if (isConstructor(node)) {
          const { line } = parsed.getLineAndCharacterOfPosition(node.getStart(parsed));
          found.push({ place: `${name}/src/${path}:${line + 1}`, source: sourceOf(node.arguments?.[0], parsed) });
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

interface Atom {
  readonly text: string;
  readonly isEndless: boolean;
  readonly mayBeAbsent: boolean;
}

/** The atoms of each alternative, groups left out: what follows what in a text that matches. */
function* sequences(source: string): Generator<readonly Atom[]> {
  let atoms: Atom[] = [];
  for (let at = 0; at < source.length; at++) {
    const start = at;
    if (source[at] === '|') {
      yield atoms;
      atoms = [];
      continue;
    }
    if (source[at] === '(') {
      at += /^\((?:\?(?:[:=!]|<[=!]|<[^>]+>))?/.exec(source.slice(at))?.[0].length ?? 1;
      at--;
      continue;
    }
    if (source[at] === ')' || source[at] === '^' || source[at] === '$') {
      at += /^(?:[*+?]|\{\d+,?\d*\})?\??/.exec(source.slice(at + 1))?.[0].length ?? 0;
      continue;
    }
    if (source[at] === '\\') at += /^\\[pPuk](?:\{[^}]*\}|[0-9a-f]{4})|^\\x../.exec(source.slice(at))?.[0].length ?? 2;
    else at = source[at] === '[' ? endOfClass(source, at) + 1 : at + 1;
    const text = source.slice(start, at);
    const quantifier = /^(?:[*+?]|\{\d+,?\d*\})?\??/.exec(source.slice(at))?.[0] ?? '';
    atoms.push({ text, isEndless: isEndless(quantifier, 0), mayBeAbsent: /^(?:[*?]|\{0,)/.test(quantifier) });
    at += quantifier.length - 1;
  }
  yield atoms;
}

/** Characters by which two atoms are compared. */
const SAMPLE = [...Array.from({ length: 256 }, (_, code) => String.fromCharCode(code)), '\u2028', '\u05d0', '\u{1f600}'];
const matched = new Map<string, ReadonlySet<string>>();
function charactersOf(atom: string): ReadonlySet<string> {
  let found = matched.get(atom);
  if (found === undefined) {
    // What a value may be is unknown.
    const pattern = atom === VALUE ? /^.$/s : new RegExp(`^(?:${atom})$`, /\\[pP]\{|\\u\{/.test(atom) ? 'u' : '');
    found = new Set(SAMPLE.filter((character) => pattern.test(character)));
    matched.set(atom, found);
  }
  return found;
}
const overlap = (one: Atom, other: Atom) => [...charactersOf(one.text)].some((character) => charactersOf(other.text).has(character));

/**
 * Two repetitions without an end between which a text can be divided in many ways, because what stands between them may be absent, or be
 * taken by the first: such a pattern may need the square of the length of a text, or more.
 */
export function adjacentRepetition(source: string): string | undefined {
  for (const atoms of sequences(source))
    for (const [index, first] of atoms.entries()) {
      if (!first.isEndless) continue;
      for (const next of atoms.slice(index + 1)) {
        if (next.isEndless && overlap(first, next)) return `${first.text} and ${next.text}`;
        if (!next.mayBeAbsent && !overlap(first, next)) break;
      }
    }
  return undefined;
}

it('finds repetitions that share a text', () => {
  for (const bad of ['\\s*\\s*', 'a.*x.*b', '\\s*,?\\s*$', '(\\w+)(\\w*)', '[^,]*\\d+']) expect(adjacentRepetition(bad), bad).toBeDefined();
  for (const good of ['\\s*x\\s*', '\\w+\\s+\\w+', 'a*|a*', '[^,]*,[^,]*', '\\d+\\.\\d+'])
    expect(adjacentRepetition(good), good).toBeUndefined();
});

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

/** Patterns with repetitions that share a text, each with the reason why its time does not grow with the square of a foreign text. */
const SHARED: readonly string[] = [
  // What follows OWNER TO ends at the next blank.
  '^ALTER .* OWNER TO(?: [^ ]+)?$',
  // The second has no @, so that only the last one divides them.
  String.raw`^postgres(?:ql)?:\/\/(?:([^/?]*)@)?([^/?@]*)(?:\/([^?]*))?(?:\?(.*))?$`,
  // A line of the kernel.
  String.raw`^NSpid:\s+([\d \t]+)$`,
  // Lines of files of the user's own, on the user's own machine.
  String.raw`^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*$`,
  String.raw`^(["'])(.*?)\1\s*(?:#.*)?$`,
  String.raw`^[a-z][a-z0-9+.-]*:\/\/[^/@\s]*:[^/@\s]+@`,
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

it('no pattern has repetitions that share a text', () => {
  const bad = [...patterns()].flatMap(({ place, source }) => {
    const found = adjacentRepetition(source);
    return found === undefined || SHARED.includes(source) ? [] : [`${place}: /${source}/ has ${found}`];
  });
  expect(bad).toEqual([]);
});

/** Files that put a pattern together from parts that cannot be read here; each with the reason. */
const UNREAD: readonly string[] = [
  // A list of the words of pg_restore, joined: each part stands in the file, with one repetition.
  'server/src/postgres/restore.ts',
];

it('reads the patterns that are constructed', () => {
  const constructed = [...patterns()].filter(({ source }) => source.includes(VALUE));
  expect(constructed.length).toBeGreaterThan(8);
  const unread = constructed.filter(({ source }) => source === VALUE).map(({ place }) => place.replace(/:\d+$/, ''));
  expect(unread).toEqual(UNREAD);
});
