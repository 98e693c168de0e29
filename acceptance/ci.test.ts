import { cpSync, mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fillExpressions, readJob, type Step } from './ci/workflow.ts';
import { type Flux, ROOT, startFlux, type TestProject } from './harness/flux.ts';
import { psql } from './harness/postgres.ts';
import { type Ended, run } from './harness/process.ts';

const job = readJob(join(ROOT, 'examples/ci/deploy.yml'), 'database');

let flux: Flux;
let project: TestProject;
let token: string;
let repository: string;
beforeAll(async () => {
  flux = await startFlux();
  project = await flux.createProject('bloom-atelier', 'v1_dedicated');
  // As the head of the file says.
  const made = await flux.flux('token', 'create', 'deploy', '--access', 'write', '--project', project.hash, '--json');
  token = (JSON.parse(made.stdout) as { token: string }).token;
  repository = join(flux.folder, 'repository');
  mkdirSync(join(repository, 'db'), { recursive: true });
  cpSync(join(ROOT, 'examples/bloom-atelier/migrations'), join(repository, 'db/migrations'), { recursive: true });
  checkOutFlux(join(repository, 'flux'));
});
afterAll(() => flux?.[Symbol.asyncDispose]());

/** What the second checkout leaves behind; the packages are those of this checkout, so that nothing is downloaded. */
function checkOutFlux(folder: string): void {
  mkdirSync(folder);
  for (const name of ['package.json', 'package-lock.json', 'scripts', 'packages', 'tsconfig.json', 'tsconfig.base.json'])
    cpSync(join(ROOT, name), join(folder, name), { recursive: true, filter: (path) => !/packages\/\w+\/dist$/.test(path) });
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  utimesSync(join(folder, 'package-lock.json'), 0, 0);
}

interface Ran extends Ended {
  readonly step: Step;
}

/** Runs the job as a runner does: each step in a shell of its own, and after one that failed only those with `if: failure()`. */
async function runJob(): Promise<readonly Ran[]> {
  const prefix = join(flux.folder, 'npm');
  mkdirSync(prefix, { recursive: true });
  const values = {
    'vars.FLUX_API_BASE': `${flux.url}/api`,
    'vars.FLUX_PROJECT_SLUG': project.slug,
    'vars.FLUX_PROJECT_HASH': project.hash,
    'secrets.FLUX_API_TOKEN': token,
  };
  const fill = (env: Step['env'] = {}) =>
    Object.fromEntries(Object.entries(env).map(([name, text]) => [name, fillExpressions(text, values)]));
  const runner = {
    HOME: join(flux.folder, 'npm'),
    PATH: `${join(prefix, 'bin')}:${process.env.PATH}`,
    CI: 'true',
    GITHUB_SHA: '0123456789abcdef0123456789abcdef01234567',
    npm_config_prefix: prefix,
    npm_config_offline: 'true',
    npm_config_audit: 'false',
    npm_config_update_notifier: 'false',
  };
  const ran: Ran[] = [];
  for (const step of job.steps) {
    if (step.run === undefined) continue;
    const hasFailed = ran.some(({ exitCode }) => exitCode !== 0);
    if (hasFailed !== (step.if === 'failure()')) continue;
    const script = join(flux.folder, 'step.sh');
    writeFileSync(script, fillExpressions(step.run, values));
    const env = { ...runner, ...fill(job.env), ...fill(step.env) };
    ran.push({ step, ...(await run('bash', ['-e', script], { cwd: repository, env })) });
  }
  return ran;
}

const namesOf = (ran: readonly Ran[]) => ran.map(({ step, exitCode }) => [step.name, exitCode]);
const migrate = (name: string, sql: string) => writeFileSync(join(repository, 'db/migrations', name), sql);

const INSTALL = 'Install flux';
const PLAN = 'Show what the migrations would do';
const PROVE = 'Back up the project and prove the backup';
const APPLY = 'Apply the migrations';
const WAY_BACK = 'Show the way back';

describe('the workflow of examples/ci/deploy.yml', () => {
  it('has the steps that are tested here, and no others', () => {
    expect(job.steps.map(({ name, uses }) => name ?? uses)).toEqual([
      'actions/checkout@v4',
      'actions/checkout@v4',
      'actions/setup-node@v4',
      INSTALL,
      PLAN,
      PROVE,
      APPLY,
      WAY_BACK,
    ]);
    // Whatever the build of a package runs, it does not see the token.
    expect(JSON.stringify(job.env)).not.toContain('secrets.');
    expect(job.steps.find(({ name }) => name === INSTALL)?.env).toBeUndefined();
  });

  it('installs flux, proves a backup, and applies the migrations', async () => {
    const ran = await runJob();
    expect(namesOf(ran), ran.at(-1)?.stderr).toEqual([
      [INSTALL, 0],
      [PLAN, 0],
      [PROVE, 0],
      [APPLY, 0],
    ]);
    expect(ran[1]?.stdout).toContain('→ 001_shop.sql would run');
    expect(ran[3]?.stdout).toContain('Done. 3 applied, 0 skipped.');
    const list = await flux.flux('backup', 'list', ...project.flags, '--json');
    const { backups } = JSON.parse(list.stdout) as { backups: { tier: string; note: string }[] };
    expect(backups).toHaveLength(1);
    expect(backups[0]).toMatchObject({ tier: 'restorable', note: 'before 0123456789abcdef0123456789abcdef01234567' });
    expect(ran.map(({ stdout, stderr }) => stdout + stderr).join('')).not.toContain(token);
  });

  it('leaves a restorable backup, and shows it, when a migration fails', async () => {
    migrate('004_bad.sql', 'drop table order_lines;\nselect no_such_column;\n');
    const ran = await runJob();
    expect(namesOf(ran)).toEqual([
      [INSTALL, 0],
      [PLAN, 0],
      [PROVE, 0],
      [APPLY, 1],
      [WAY_BACK, 0],
    ]);
    expect(ran[1]?.stdout).toContain('! 004_bad.sql:1 destroys data: drop table order_lines');
    expect(ran[3]?.stderr).not.toContain('Warning');
    expect(ran[3]?.stderr).toContain('Nothing of 004_bad.sql was applied.');
    expect(ran[4]?.stdout).toContain('Verification:             Restore-verified');
    expect(await psql(project.uri, 'select count(*) > 0 from order_lines')).toBe('t\n');
  });

  it('applies nothing when the verification fails', async () => {
    // The row was let in by a check that has changed its mind since: no restore can bring it back.
    await psql(
      project.uri,
      `create function fits(int) returns boolean language sql immutable as 'select true';
       create table odd (id int check (fits(id))); insert into odd values (1);
       create or replace function fits(int) returns boolean language sql immutable as 'select false';`,
    );
    migrate('004_bad.sql', 'drop table order_lines;\n');
    const ran = await runJob();
    expect(namesOf(ran)).toEqual([
      [INSTALL, 0],
      [PLAN, 0],
      [PROVE, 7],
      [WAY_BACK, 0],
    ]);
    expect(ran[3]?.stdout).toContain('Verification:             Restore verification failed');
    expect(await psql(project.uri, 'select count(*) > 0 from order_lines')).toBe('t\n');
  });
});
