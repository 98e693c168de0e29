import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { expect, it } from 'vitest';

const MAX_FIELDS = 6;
/** They compose use cases, or hand one object to several. */
const COMPOSES = /^(api|worker|schedules|compose)\//;

const sources = fileURLToPath(new URL('../packages/server/src/', import.meta.url));

/** An interface, or a type that is composed of others. */
interface Declared {
  readonly file: string;
  readonly fields: readonly string[];
  readonly parents: readonly string[];
  readonly isIntersection: boolean;
}

function readDeclarations(file: string, text: string): [string, Declared][] {
  return ts.createSourceFile(file, text, ts.ScriptTarget.Latest).statements.flatMap((node): [string, Declared][] => {
    if (ts.isTypeAliasDeclaration(node))
      return [[node.name.text, { file, fields: [], parents: [], isIntersection: ts.isIntersectionTypeNode(node.type) }]];
    if (!ts.isInterfaceDeclaration(node)) return [];
    const fields = node.members.flatMap(({ name }) => (name !== undefined && ts.isIdentifier(name) ? [name.text] : []));
    const bases = (node.heritageClauses ?? []).flatMap(({ types }) => types.map(({ expression }) => expression));
    const parents = bases.flatMap((base) => (ts.isIdentifier(base) ? [base.text] : []));
    return [[node.name.text, { file, fields, parents, isIntersection: false }]];
  });
}

/** What is wrong with the `...Deps` of some files, in sentences. */
function findProblems(files: readonly (readonly [file: string, text: string])[]): string[] {
  const declared = new Map(files.flatMap(([file, text]) => readDeclarations(file, text)));
  const fieldsOf = (name: string): readonly string[] => {
    const { fields = [], parents = [] } = declared.get(name) ?? {};
    return [...fields, ...parents.flatMap(fieldsOf)];
  };
  return [...declared]
    .filter(([name]) => name.endsWith('Deps'))
    .flatMap(([name, { file, isIntersection }]) => {
      const count = new Set(fieldsOf(name)).size;
      if (count > MAX_FIELDS) return [`${file}: ${name} has ${count} fields`];
      return isIntersection && !COMPOSES.test(file) ? [`${file}: ${name} is an intersection of others`] : [];
    });
}

it(`hands no use case more than ${MAX_FIELDS} things`, () => {
  const files = globSync('**/*.ts', { cwd: sources }).map((file) => [file, readFileSync(join(sources, file), 'utf8')] as const);
  expect(files.length).toBeGreaterThan(200);
  expect(findProblems(files)).toEqual([]);
});

it('counts what an interface inherits, and finds intersections outside of drivers', () => {
  const base = 'export interface BaseDeps { a: 1; b: 1; c: 1; d: 1 }';
  expect(
    findProblems([
      ['backups/a.ts', base],
      ['projects/b.ts', 'interface MoreDeps extends BaseDeps { a: 1; e: 1; f: 1 }'],
    ]),
  ).toEqual([]);
  expect(
    findProblems([
      ['backups/a.ts', base],
      ['projects/b.ts', 'interface MoreDeps extends BaseDeps { e: 1; f: 1; g: 1 }'],
      ['projects/c.ts', 'type BothDeps = BaseDeps & MoreDeps;'],
      ['api/d.ts', 'type RouteDeps = BaseDeps & MoreDeps;'],
    ]),
  ).toEqual(['projects/b.ts: MoreDeps has 7 fields', 'projects/c.ts: BothDeps is an intersection of others']);
});
