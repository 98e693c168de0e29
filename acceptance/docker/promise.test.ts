import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask } from '../../packages/server/test/conformance/instance-runtime.ts';
import { startCluster, type TestCluster } from '../../packages/server/test/postgres/cluster.ts';
import { type Flux, ROOT, startFlux, type TestProject } from '../harness/flux.ts';
import { until } from '../harness/process.ts';
import { docker, dockerLines, ENGINE } from './engine.ts';

const EXAMPLE = join(ROOT, 'examples/bloom-atelier/migrations');

/** The catalog lives outside Docker, so that the control plane answers while Docker is down. */
let catalog: TestCluster;
let flux: Flux;
const env = { FLUX_RUNTIME: 'docker', DOCKER_HOST: ENGINE.host, FLUX_DOCKER_POSTGRES_IMAGE: ENGINE.image, FLUX_LOG_LEVEL: 'warn' };

beforeAll(async () => {
  catalog = await startCluster();
  const { host, port, user } = await catalog.createDatabase('catalog');
  const url = `postgresql:///catalog?host=${encodeURIComponent(host)}&port=${port}&user=${user}`;
  flux = await startFlux({ env: { ...env, FLUX_CATALOG_URL: url } });
});
afterAll(async () => {
  await flux?.[Symbol.asyncDispose]();
  await catalog?.[Symbol.asyncDispose]();
  // Projects stay when a control plane stops; here nothing is to stay.
  const label = ['--filter', 'label=flux.data-folder'];
  for (const id of await dockerLines('ps', '-aq', ...label)) await docker('rm', '-fv', id);
  for (const name of await dockerLines('volume', 'ls', '-q', ...label)) await docker('volume', 'rm', name);
});

const projects = new Map<string, TestProject>();
const flags = (slug: string) => projects.get(slug)?.flags ?? [];
const succeed = async (...args: string[]) => {
  const ended = await flux.flux(...args);
  expect(ended.stderr + ended.stdout, `flux ${args.join(' ')}`).toSatisfy(() => ended.exitCode === 0);
  return ended.stdout;
};
const newest = async (slug: string) => JSON.parse(await succeed('backup', 'list', ...flags(slug), '--json')).backups[0];
const create = async (slug: string, mode: 'v1_dedicated' | 'v2_shared') => {
  projects.set(slug, await flux.createProject(slug, mode));
  await succeed('push', EXAMPLE, ...flags(slug));
};

describe.each([
  ['dedicated', 'v1_dedicated', '15'],
  ['shared', 'v2_shared', '15'],
  // No tools of this major need be on the host: the image has them.
  ['newer', 'v1_dedicated', '17'],
] as const)('a %s project in containers', (slug, mode, major) => {
  it(`is created, backed up, proven on PostgreSQL ${major} and downloaded`, async () => {
    await flux.stop();
    await flux.start({ FLUX_POSTGRES_MAJOR: major });
    await create(slug, mode);

    await succeed('backup', 'create', ...flags(slug));
    const { proof } = JSON.parse(await succeed('backup', 'verify', ...flags(slug), '--latest', '--json'));
    const path = join(flux.folder, `${slug}.dump`);
    await succeed('backup', 'download', ...flags(slug), '--latest', '-o', path);

    expect(proof).toMatchObject({ verdict: 'restorable', sandbox: 'docker', postgresVersion: expect.stringMatching(`^${major}\\.`) });
    expect((await newest(slug)).restoreVerificationStatus).toBe('restore_verified');
    expect(statSync(path).size).toBe((await newest(slug)).sizeBytes);
    expect(readFileSync(path).subarray(0, 5).toString()).toBe('PGDMP');
  });
});

it('attaches no instance of Flux by the address of its container', async () => {
  const addresses = await dockerLines('network', 'inspect', 'bridge', '--format', '{{range .Containers}}{{println .IPv4Address}}{{end}}');
  expect(addresses.length).toBeGreaterThanOrEqual(2);
  const { username, password, pathname } = new URL(projects.get('dedicated')?.uri ?? '');
  for (const address of addresses) {
    const FLUX_ATTACH_URI = `postgresql://${username}:${password}@${address.split('/')[0]}:5432${pathname}`;
    const attached = await flux.fluxWith({ env: { FLUX_ATTACH_URI } }, 'create', 'reached', '--attach');
    expect(attached.stderr).toContain('This control plane may not connect to');
    expect(attached.exitCode).toBe(5);
  }
});

it('restores into a new project, with the pg_restore of the image', async () => {
  await succeed('backup', 'restore', ...flags('newer'), '--latest', '--into', 'newer-copy');

  const count = (uri: string) => askUri(uri, 'select count(*)::int from order_lines');
  const copy = projectUri(await succeed('list', '--json'), 'newer-copy');
  expect(await count(await copy)).toBe(await count(projects.get('newer')?.uri ?? ''));
});

it('shows no password to a user who may inspect containers', async () => {
  const passwords = [...projects.values()].map(({ uri }) => new URL(uri).password);
  const containers = await dockerLines('ps', '-aq', '--filter', 'label=flux.data-folder');
  const { stdout } = await docker('inspect', ...containers);
  expect(containers.length).toBeGreaterThan(1);
  for (const password of passwords) expect(stdout).not.toContain(password);
  const secrets = await superuserSecrets();
  expect(secrets.length).toBeGreaterThan(1);
  for (const secret of secrets) expect(stdout).not.toContain(secret);
});

it('publishes ports on loopback only, and bounds every container', async () => {
  for (const id of await dockerLines('ps', '-q', '--filter', 'label=flux.data-folder')) {
    const [facts] = JSON.parse((await docker('inspect', id)).stdout);
    const bindings = Object.values(facts.HostConfig.PortBindings ?? {}).flat() as { HostIp: string }[];
    for (const { HostIp } of bindings) expect(HostIp).toBe('127.0.0.1');
    expect(facts.HostConfig).toMatchObject({ ReadonlyRootfs: true, CapDrop: ['ALL'], SecurityOpt: ['no-new-privileges'] });
    expect(facts.HostConfig.Memory).toBeGreaterThan(0);
    expect(facts.HostConfig.PidsLimit).toBeGreaterThan(0);
    expect(facts.Config.Labels).toMatchObject({ 'flux.kind': 'instance', 'flux.instance': expect.any(String) });
  }
});

it('sweeps what kill -9 in the middle of a verification left, and then verifies', async () => {
  const verification = flux.flux('backup', 'verify', ...flags('dedicated'), '--latest');
  await until('a disposable container runs', async () => (await disposables()).length > 0);
  await flux.kill();
  expect((await disposables()).length).toBeGreaterThan(0);

  await flux.start({ FLUX_POSTGRES_MAJOR: '15' });

  // The next process begins it anew without being asked, and the command that followed sees its end.
  expect((await verification).exitCode).toBe(0);
  expect(await disposables()).toEqual([]);
  await succeed('backup', 'verify', ...flags('dedicated'), '--latest');
  expect(await disposables()).toEqual([]);
});

it('learns nothing while Docker is down, keeps the label, and succeeds when Docker is back', async () => {
  const before = await newest('dedicated');
  await stopEngine();

  const down = await flux.flux('backup', 'verify', ...flags('dedicated'), '--latest');
  expect(down.exitCode).toBe(10);
  expect(down.stdout + down.stderr).toContain('Docker does not answer');
  expect((await newest('dedicated')).label).toBe(before.label);
  expect((await flux.flux('backup', 'create', ...flags('dedicated'))).exitCode).toBe(1);

  const engine = await startEngine();
  try {
    await succeed('backup', 'verify', ...flags('dedicated'), '--id', before.id);
    // The instances come back by themselves.
    await until('the instance is back', async () => (await flux.flux('backup', 'create', ...flags('dedicated'))).exitCode === 0, 60_000);
  } finally {
    engine.unref();
  }
});

async function projectUri(list: string, slug: string): Promise<string> {
  const hash = (JSON.parse(list) as { slug: string; hash: string }[]).find((one) => one.slug === slug)?.hash ?? '';
  return (await succeed('project', 'credentials', slug, '--hash', hash, '--field', 'postgres.url')).trim();
}

/** Asks as the user of a project would, with the URI that was printed. */
async function askUri(uri: string, sql: string): Promise<unknown> {
  const { hostname, port, username, password, pathname } = new URL(uri);
  return ask({ host: hostname, port: Number(port), user: username, password, database: pathname.slice(1) }, sql);
}

async function disposables(): Promise<string[]> {
  return dockerLines('ps', '-a', '--filter', 'label=flux.kind=disposable', '--format', '{{.Names}}');
}

async function superuserSecrets(): Promise<string[]> {
  const folders = (await dockerLines('ps', '-a', '--filter', 'label=flux.kind=instance', '--format', '{{.Label "flux.instance"}}')).map(
    (id) => join(flux.dataFolder, 'instances', id, 'superuser.secret'),
  );
  return folders.map((path) => readFileSync(path, 'utf8').trim());
}

async function stopEngine(): Promise<void> {
  const pidFile = process.env.FLUX_TEST_DOCKER_PID_FILE as string;
  process.kill(Number(readFileSync(pidFile, 'utf8')), 'SIGTERM');
  await until('Docker has ended', () => !existsSync(pidFile), 60_000);
}

async function startEngine(): Promise<ChildProcess> {
  const [command = '', ...args] = (process.env.FLUX_TEST_DOCKER_ENGINE as string).split('\n');
  const child = spawn(command, args, { stdio: 'ignore', detached: true });
  await once(child, 'spawn');
  await until('Docker answers', async () => (await docker('version')).exitCode === 0, 60_000);
  return child;
}
