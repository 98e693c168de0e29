import { chmodSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { VerificationProof } from '@flux/contract/backup';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { inDisguise, needsDisguise } from '../harness/disguise.ts';
import { type Flux, startFlux, type TestProject } from '../harness/flux.ts';
import { findClient } from '../harness/postgres.ts';
import { type Ended, until } from '../harness/process.ts';
import { needsSandbox } from '../harness/sandbox.ts';
import { listSandboxes, processesIn } from './sandboxes.ts';
import { backUp, pushSql } from './workshop.ts';

/** Slow enough to interrupt: every restore recomputes a materialized view. */
const SOURCE = `
CREATE TABLE orders (id bigserial PRIMARY KEY, total numeric);
INSERT INTO orders (total) SELECT i FROM generate_series(1, 500) i;
CREATE MATERIALIZED VIEW slow AS SELECT count(*) AS orders, pg_sleep(2)::text AS waited FROM orders;
`;

const PROGRAMS = ['postgres', 'initdb', 'pg_dump', 'pg_restore'];

/** The tests find a sandbox by its mounts, so they need one. */
const needsSandboxes = await needsSandbox();
const disguised = await needsDisguise();

let server: Flux;
let project: TestProject;
/** Settings of the next start. */
const env: Record<string, string> = { FLUX_LOG_LEVEL: 'error' };
/** Shell commands that change what the next server sees of the host; they run in its own mount namespace. */
let disguise = '';

beforeAll(async () => {
  server = await startFlux({
    env,
    prepare: (folder) => {
      chmodSync(folder, 0o711);
      const bin = binFolder(folder);
      mkdirSync(bin, { recursive: true });
      for (const name of PROGRAMS) symlinkSync(join(findClient(), name), join(bin, name));
      env.FLUX_POSTGRES_BIN_DIRS = bin;
    },
    wrap: (command) => (disguise === '' ? command : inDisguise(disguise, command)),
  });
  project = await server.createProject('steady', 'v1_dedicated');
  await pushSql(server, project, 'source', SOURCE);
  await backUp(server, project);
  await expectRestorable();
});

afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
});

describe('a problem that proves nothing about the backup is inconclusive, does not change the label, and ends with its cause:', () => {
  beforeEach(async () => {
    expect(await firstLines()).toContain('Restore-verified');
  });

  it('no room on the disk for the instance', disguised, async () => {
    await restart({ FLUX_VERIFY_MEMORY: '64MiB' }, `mount -t tmpfs -o size=8m flux '${join(server.dataFolder, 'disposable')}'`);
    await expectInconclusive(await verify(), /needs about \d+ MiB.*not have that much free space/);
    await restart();
    await expectRestorable();
  });

  it('a program that was removed while the server runs', async () => {
    const path = join(binFolder(server.folder), 'pg_restore');
    rmSync(path);
    await expectInconclusive(await verify(), /pg_restore was there when Flux looked for PostgreSQL \d+, and is not any more/);
    symlinkSync(join(findClient(), 'pg_restore'), path);
    await expectRestorable();
  });

  it('a program that the server does not find when it starts', disguised, async () => {
    await restart({ FLUX_POSTGRES_BIN_DIRS: '' }, `mount --bind /dev/null '${join(findClient(), 'pg_restore')}'`);
    await expectInconclusive(await verify(), /pg_restore of that major version cannot be found.*apt-get install postgresql-/);
    await restart();
    await expectRestorable();
  });

  it('no sandbox', disguised, async () => {
    await restart(
      { FLUX_VERIFY_SANDBOX: 'bubblewrap' },
      'for p in /usr/bin/bwrap /bin/bwrap /usr/local/bin/bwrap; do test ! -e $p || mount --bind /dev/null $p; done',
    );
    await expectInconclusive(await verify(), /sandbox/i);
    await restart();
    await expectRestorable();
  });

  it('a Postgres that is killed in the middle', needsSandboxes, async () => {
    const ended = verify();
    const sandbox = await sandboxOfRestore();
    // Its oldest process is the server itself.
    const postmaster = processesIn([sandbox]).filter(({ name }) => name === 'postgres')[0];
    process.kill(postmaster?.pid ?? Number.NaN, 'SIGKILL');
    await expectInconclusive(await ended, /ended unexpectedly|went away/);
    await expectRestorable();
  });

  it('a pg_restore that is killed in the middle', needsSandboxes, async () => {
    const ended = verify();
    const sandbox = await sandboxOfRestore();
    const restores = processesIn([sandbox]).filter(({ name }) => name === 'pg_restore');
    // Its jobs end with it, so that some of them may be gone before their turn.
    for (const { pid } of restores) if (processesIn([sandbox]).some((one) => one.pid === pid)) process.kill(pid, 'SIGKILL');
    await expectInconclusive(await ended, /pg_restore was (stopped|ended)|went away/);
    await expectRestorable();
  });

  it('a server that is killed in the middle', needsSandboxes, async () => {
    const ended = verify();
    const sandbox = await sandboxOfRestore();
    await server.kill();
    // The sandbox ends with its creator, before any sweep.
    await until('nothing is left in the sandbox', () => processesIn([sandbox]).length === 0, 10_000);
    await server.start();
    const { exitCode } = await ended;
    // The next process restarts it, and the following command sees the verdict.
    expect(exitCode).toBe(0);
    expect(await firstLines()).toContain('Restore-verified');
    await expectRestorable();
  });
});

function binFolder(folder: string): string {
  return join(folder, 'postgres', 'bin');
}

async function restart(settings: Readonly<Record<string, string>> = {}, changes = ''): Promise<void> {
  await server.stop();
  disguise = changes;
  await server.start(settings);
}

function verify(): Promise<Ended> {
  return server.flux('backup', 'verify', ...project.flags, '--latest', '--json');
}

function list(): Promise<Ended> {
  return server.flux('backup', 'list', ...project.flags, '--verbose');
}

async function firstLines(): Promise<string> {
  return (await list()).stdout.split('\n').slice(0, 3).join('\n');
}

/** Waits until pg_restore runs, and returns the id of its sandbox. */
async function sandboxOfRestore(): Promise<string> {
  let sandbox: string | undefined;
  await until('a restore is running', () => {
    [sandbox] = listSandboxes(server.folder);
    return sandbox !== undefined && processesIn([sandbox]).some(({ name }) => name === 'pg_restore');
  });
  return sandbox as string;
}

async function expectInconclusive(ended: Ended, says: RegExp): Promise<void> {
  const { proof, label } = JSON.parse(ended.stdout || '{}') as { proof?: VerificationProof; label?: string };
  expect({ exitCode: ended.exitCode, verdict: proof?.verdict, label }, proof?.summary ?? ended.stderr).toEqual({
    exitCode: 10,
    verdict: 'inconclusive',
    label: 'Restorable',
  });
  expect(proof?.summary).toMatch(says);
  const { stdout } = await list();
  expect(stdout).toContain('Verification:             Restore-verified');
  expect(stdout).toMatch(/Last attempt: +inconclusive: /);
  expect(stdout.split('Last attempt:')[1]).toMatch(says);
}

async function expectRestorable(): Promise<void> {
  const { exitCode, stdout, stderr } = await verify();
  expect(exitCode, stdout + stderr).toBe(0);
  expect((await list()).stdout).not.toContain('Last attempt:');
}
