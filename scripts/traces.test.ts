import { readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { beforeAll, describe, expect, it } from 'vitest';
import { readTraces, type Step } from './traces.ts';

const packages = fileURLToPath(new URL('../packages/', import.meta.url));
const text = readFileSync(join(packages, '../ARCHITECTURE.md'), 'utf8');
const traces = readTraces(text);
const OPERATIONS = 'operations/run.ts';
const MAX_STEPS = 15;

/** From the top; within the server, the order of `.dependency-cruiser.cjs`. */
const FLOORS = [
  ['cli'],
  ['api', 'worker', 'schedules'],
  ['projects'],
  ['backups'],
  ['access', 'notify'],
  ['operations'],
  ['engines'],
  ['disposable'],
  ['instances'],
  ['postgres'],
  ['blobs', 'catalog'],
  ['system'],
  ['contract'],
];

let program: ts.Program;
let checker: ts.TypeChecker;

beforeAll(() => {
  const { config } = ts.readConfigFile(join(packages, '../tsconfig.base.json'), (path) => readFileSync(path, 'utf8'));
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, packages);
  program = ts.createProgram([join(packages, 'server/src/main.ts'), join(packages, 'cli/src/main.ts')], options);
  checker = program.getTypeChecker();
}, 60_000);

it('finds the three traces', () => {
  expect(traces.map(({ title }) => title)).toEqual(['flux backup verify --latest', 'flux backup restore --in-place', 'flux push']);
  for (const { steps } of traces) expect(steps.length).toBeGreaterThan(5);
});

describe.each(traces)('$title', ({ steps }) => {
  it('is short', () => {
    expect(steps.map(({ number }) => number)).toEqual(steps.map((_, index) => index + 1));
    expect(steps.length).toBeLessThanOrEqual(MAX_STEPS);
  });

  it('names symbols that are there, and no interface that only one thing implements', () => {
    for (const step of steps) {
      const declaration = declarationOf(step);
      if (ts.isInterfaceDeclaration(declaration)) expect(implementationsOf(declaration).length, step.symbol).toBeGreaterThan(1);
      else expect(ts.isTypeAliasDeclaration(declaration), step.symbol).toBe(false);
    }
  });

  it('can be followed, always downward', () => {
    const problems: string[] = [];
    let callers: Step[] = [];
    for (const step of steps) {
      if (step.handOver !== undefined) {
        const problem = problemOfHandOver(step, callers);
        if (problem !== undefined) problems.push(`step ${step.number}: ${problem}`);
        callers = [step];
        continue;
      }
      const caller = callers.findLast((earlier) => refersTo(earlier, step));
      if (callers.length > 0 && caller === undefined) problems.push(`step ${step.number}: nothing before it refers to ${step.symbol}`);
      if (caller !== undefined && floorOf(caller) > floorOf(step))
        problems.push(`step ${step.number}: ${caller.file} is below ${step.file}`);
      callers.push(step);
    }
    expect(problems).toEqual([]);
  });
});

it('notices a step that nothing refers to, one that goes up, and a hand-over that is none', () => {
  const step = (number: number, file: string, symbol: string): Step => ({ number, file, symbol });
  const request = step(6, 'backups/verify/request.ts', 'requestVerification');
  const route = step(5, 'api/backup-requests.ts', 'createBackupRequests');
  expect(refersTo(route, request)).toBe(true);
  expect(refersTo(request, step(7, 'backups/verify/record.ts', 'recordVerification'))).toBe(false);
  expect(floorOf(request)).toBeGreaterThan(floorOf(route));
  expect(() => declarationOf(step(1, 'projects/restore.ts', 'nothing'))).toThrow('nothing');
  expect(problemOfHandOver({ ...request, handOver: 'By its definition' }, [step(4, OPERATIONS, 'runQueued')])).toMatch('not defined');
  expect(problemOfHandOver({ ...route, handOver: 'Over the wire', route: 'push' }, [step(1, 'cli/src/push/run.ts', 'runPush')])).toMatch(
    'push',
  );
});

/** Where the symbol of a step is declared. @throws Error when file or symbol is not there */
function declarationOf({ file, symbol }: Step): ts.Declaration {
  const source = program.getSourceFile(join(packages, pathOf(file)));
  const found = source === undefined ? undefined : topLevelDeclarations(source).get(symbol);
  if (found === undefined) throw new Error(`${file} has no ${symbol}`);
  return found;
}

function pathOf(file: string): string {
  return /^(cli|contract)\//.test(file) ? file : `server/src/${file}`;
}

function floorOf({ file }: Step): number {
  return FLOORS.findIndex((rooms) => rooms.includes(file.split('/')[0] ?? ''));
}

function topLevelDeclarations(source: ts.SourceFile): ReadonlyMap<string, ts.Declaration> {
  const found = new Map<string, ts.Declaration>();
  for (const statement of source.statements) {
    const declared = ts.isVariableStatement(statement)
      ? statement.declarationList.declarations
      : [statement as unknown as ts.NamedDeclaration];
    for (const declaration of declared)
      if (declaration.name !== undefined && ts.isIdentifier(declaration.name)) found.set(declaration.name.text, declaration);
  }
  return found;
}

/** Tells whether a symbol, or a function of its own file that it uses, refers to another symbol or to a member of it. */
function refersTo(caller: Step, { file, symbol }: Step): boolean {
  const target = declarationOf({ number: 0, file, symbol });
  const members = ts.isInterfaceDeclaration(target) ? target.members.map((member) => member.name?.getText() ?? '') : [];
  return referencesOf(caller, [symbol, ...members]).some((declaration) => isWithin(declaration, target));
}

/** What the identifiers of these names stand for, in a symbol and in what it uses of its own file. */
function referencesOf(step: Step, names: readonly string[]): readonly ts.Declaration[] {
  return bodiesOf(step).flatMap((body) => identifiersIn(body, (name) => names.includes(name)).flatMap(resolve));
}

/** A symbol, and everything at the top level of its own file that it uses. */
function bodiesOf(step: Step): readonly ts.Declaration[] {
  const start = declarationOf(step);
  const neighbours = topLevelDeclarations(start.getSourceFile());
  const bodies = new Set([start]);
  // The set grows while it is walked.
  for (const body of bodies)
    for (const { text: name } of identifiersIn(body, (text) => neighbours.has(text))) bodies.add(neighbours.get(name) as ts.Declaration);
  return [...bodies];
}

function identifiersIn(node: ts.Node, isWanted: (name: string) => boolean): ts.Identifier[] {
  const found: ts.Identifier[] = [];
  const visit = (child: ts.Node): void => {
    if (ts.isIdentifier(child) && isWanted(child.text)) found.push(child);
    ts.forEachChild(child, visit);
  };
  visit(node);
  return found;
}

function resolve(identifier: ts.Identifier): readonly ts.Declaration[] {
  const symbol = checker.getSymbolAtLocation(identifier);
  if (symbol === undefined) return [];
  const target = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
  return target.declarations ?? [];
}

function isWithin(node: ts.Node, ancestor: ts.Node): boolean {
  for (let at: ts.Node | undefined = node; at !== undefined; at = at.parent) if (at === ancestor) return true;
  return false;
}

/** Functions that say they return an interface, alone or in a promise, and classes that implement it. */
function implementationsOf(target: ts.InterfaceDeclaration): readonly ts.Node[] {
  const found: ts.Node[] = [];
  const isTarget = (node: ts.Node) =>
    identifiersIn(node, (name) => name === target.name.text).some((name) => resolve(name).includes(target));
  const returnsIt = (type: ts.TypeNode): boolean =>
    ts.isTypeReferenceNode(type) &&
    (isTarget(type.typeName) || (type.typeName.getText() === 'Promise' && (type.typeArguments ?? []).some(returnsIt)));
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) && 'body' in node && node.type !== undefined && returnsIt(node.type)) found.push(node);
    if (ts.isClassDeclaration(node) && (node.heritageClauses ?? []).some(isTarget)) found.push(node);
    ts.forEachChild(node, visit);
  };
  for (const source of program.getSourceFiles()) if (isOurs(source)) visit(source);
  return found;
}

function isOurs(source: ts.SourceFile): boolean {
  return !source.isDeclarationFile && !relative(packages, source.fileName).startsWith('..');
}

/** What is wrong with a hand-over that is not a call; undefined when nothing is. */
function problemOfHandOver(step: Step, callers: readonly Step[]): string | undefined {
  switch (step.handOver) {
    case 'Over the wire': {
      if (!callers.some((caller) => textOf(caller).includes(`'${step.route}'`))) return `no client before it calls ${step.route}`;
      return textOf(step).includes(`ROUTES.${step.route},`) ? undefined : `${step.symbol} does not answer ${step.route}`;
    }
    case 'Through the queue': {
      const uses = (at: Step, member: string, owner: Step) =>
        referencesOf(at, [member]).some((declaration) => isWithin(declaration, declarationOf(owner)));
      const sending = { number: 0, file: 'operations/request.ts', symbol: 'OperationQueue' };
      if (!callers.some((caller) => uses(caller, 'enqueue', sending))) return 'nothing before it enqueues';
      const taking = { number: 0, file: 'worker/queue.ts', symbol: 'JobQueue' };
      return uses(step, 'work', taking) ? undefined : `${step.symbol} takes nothing from the queue`;
    }
    case 'By its definition': {
      const definition = declarationOf(step);
      if (!/^\w+ = defineOperation\(/.test(definition.getText())) return `${step.symbol} is not defined as an operation`;
      const isRun = callers.some((caller) => caller.file === OPERATIONS && runsBoundWork(caller));
      if (!isRun) return 'nothing before it runs the work of an operation';
      const composed = { number: 0, file: 'compose/operations.ts', symbol: 'composeOperations' };
      const isBound = [composed, ...callers].some((caller) => refersTo(caller, step));
      return isBound ? undefined : `${step.symbol} is bound nowhere`;
    }
    default:
      return undefined;
  }
}

/** Whether a runner calls the work of a bound operation: "go to definition" of that call leads into `bindOperation`, not to an interface. */
function runsBoundWork(runner: Step): boolean {
  const bind = declarationOf({ number: 0, file: 'operations/define.ts', symbol: 'bindOperation' });
  return referencesOf(runner, ['run']).some((declaration) => ts.isPropertyAssignment(declaration) && isWithin(declaration, bind));
}

function textOf(step: Step): string {
  return bodiesOf(step)
    .map((declaration) => declaration.getText())
    .join('\n');
}
