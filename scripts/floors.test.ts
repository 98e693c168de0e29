import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const { forbidden } = createRequire(import.meta.url)('../.dependency-cruiser.cjs') as { forbidden: { name: string }[] };

/** One import that each rule must refuse: the importing file, below `packages/`, and what it imports. */
const PLANTED: Readonly<Record<string, readonly [file: string, imported: string]>> = {
  'no-circular': ['server/src/system/one.ts', './other.ts'],
  'contract-imports-nothing-of-ours': ['contract/src/a.ts', '../../server/src/system/target.ts'],
  'contract-no-node': ['contract/src/b.ts', 'node:fs'],
  'cli-imports-contract-only': ['cli/src/a.ts', '../../server/src/system/target.ts'],
  'dashboard-imports-contract-only': ['dashboard/src/a.ts', '../../cli/src/target.ts'],
  'server-not-its-clients': ['server/src/api/to-client.ts', '../../../cli/src/target.ts'],
  'system-is-floor-1': ['server/src/system/a.ts', '../catalog/target.ts'],
  'postgres-is-lowest': ['server/src/postgres/a.ts', '../instances/target.ts'],
  'instances-above-postgres': ['server/src/instances/a.ts', '../disposable/target.ts'],
  'disposable-above-instances': ['server/src/disposable/a.ts', '../engines/target.ts'],
  'engines-above-disposable': ['server/src/engines/a.ts', '../catalog/target.ts'],
  'blobs-alone': ['server/src/blobs/a.ts', '../catalog/target.ts'],
  'catalog-alone': ['server/src/catalog/a.ts', '../postgres/target.ts'],
  'operations-catalog-and-system-only': ['server/src/operations/a.ts', '../postgres/target.ts'],
  'access-above-operations': ['server/src/access/a.ts', '../backups/target.ts'],
  'notify-above-operations': ['server/src/notify/a.ts', '../backups/target.ts'],
  'backups-below-projects': ['server/src/backups/a.ts', '../projects/target.ts'],
  'projects-top-of-domain': ['server/src/projects/a.ts', '../api/target.ts'],
  'api-not-other-drivers': ['server/src/api/a.ts', '../worker/target.ts'],
  'worker-not-other-drivers': ['server/src/worker/a.ts', '../schedules/target.ts'],
  'schedules-not-other-drivers': ['server/src/schedules/a.ts', '../api/target.ts'],
  'drivers-not-composition': ['server/src/api/b.ts', '../compose/target.ts'],
  'drivers-not-adapters': ['server/src/worker/b.ts', '../postgres/target.ts'],
  'only-process-spawns': ['server/src/engines/b.ts', 'node:child_process'],
  'only-docker-talks-to-docker': ['server/src/instances/b.ts', 'dockerode'],
  'only-catalog-and-postgres-connect': ['server/src/projects/b.ts', 'pg'],
  'only-catalog-builds-queries': ['server/src/projects/c.ts', 'kysely'],
  'only-api-uses-fastify': ['server/src/projects/d.ts', 'fastify'],
  'only-drivers-use-queue': ['server/src/projects/e.ts', 'pg-boss'],
  'no-unresolved-import': ['server/src/projects/f.ts', './nowhere.ts'],
};

/** Sources that a rule of the linter must refuse, and one that it must not. */
const LINTED: Readonly<Record<string, string>> = {
  'packages/server/src/backups/floating.ts':
    'export async function read(): Promise<void> {}\nexport function start(): void {\n  read();\n}\n',
  'packages/server/src/backups/interval.ts': 'export const timer = setInterval(() => undefined, 1000);\n',
  'packages/server/src/worker/interval.ts': 'export const timer = setInterval(() => undefined, 1000);\n',
};

let scratch: string;

beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'flux-floors-'));
  for (const name of ['.dependency-cruiser.cjs', 'tsconfig.base.json', 'biome.json', '.gitignore', 'package.json'])
    cpSync(join(root, name), join(scratch, name));
  symlinkSync(join(root, 'node_modules'), join(scratch, 'node_modules'));
  for (const [file, imported] of Object.values(PLANTED)) {
    plant(`packages/${file}`, `import { planted } from '${imported}';\nexport const used = planted;\n`);
    // The imported file exists, so that only the rule in question applies.
    if (imported.startsWith('.') && imported !== './nowhere.ts')
      plant(join('packages', dirname(file), imported), 'export const planted = 1;\n');
  }
  plant('packages/server/src/system/other.ts', `export * from './one.ts';\n`);
  for (const [path, text] of Object.entries(LINTED)) plant(path, text);
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

function plant(path: string, text: string): void {
  mkdirSync(dirname(join(scratch, path)), { recursive: true });
  writeFileSync(join(scratch, path), text);
}

function runTool(name: string, ...args: string[]): string {
  const { stdout, error } = spawnSync(join(root, 'node_modules/.bin', name), args, { cwd: scratch, encoding: 'utf8' });
  if (error !== undefined) throw error;
  return stdout;
}

it('has a planted violation for each floor', () => {
  expect(Object.keys(PLANTED).sort()).toEqual(forbidden.map(({ name }) => name).sort());
});

it('refuses each planted import by the name of its rule', () => {
  const report = JSON.parse(runTool('depcruise', '--config', '.dependency-cruiser.cjs', '--output-type', 'json', 'packages')) as {
    summary: { violations: { from: string; rule: { name: string } }[] };
  };
  const refused = new Set(report.summary.violations.map(({ from, rule }) => `${rule.name}: ${from}`));
  const missed = Object.entries(PLANTED).filter(([name, [file]]) => !refused.has(`${name}: packages/${file}`));
  expect(missed.map(([name]) => name)).toEqual([]);
});

it('refuses an unawaited promise, and an interval outside worker/ and schedules/', () => {
  const report = JSON.parse(runTool('biome', 'lint', '--reporter=json', ...Object.keys(LINTED))) as {
    diagnostics: { category: string; location: { path: string | { file: string } } }[];
  };
  const found = report.diagnostics.map(({ category, location }) => {
    const path = typeof location.path === 'string' ? location.path : location.path.file;
    return `${category} ${path.replaceAll('\\', '/')}`;
  });
  expect(found.sort()).toEqual([
    'lint/nursery/noFloatingPromises packages/server/src/backups/floating.ts',
    'lint/style/noRestrictedGlobals packages/server/src/backups/interval.ts',
  ]);
});
