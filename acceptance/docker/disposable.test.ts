import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { createDockerDisposables } from '../../packages/server/src/disposable/docker/provider.ts';
import type { DisposableInstance, DisposableLimits, DisposableProvider } from '../../packages/server/src/disposable/provider.ts';
import { type DockerEngine, openDockerEngine } from '../../packages/server/src/instances/docker/engine.ts';
import { createDockerRuntime } from '../../packages/server/src/instances/docker/runtime.ts';
import { createDockerToolbox } from '../../packages/server/src/instances/docker/toolbox.ts';
import { connectPostgres } from '../../packages/server/src/postgres/connect.ts';
import { chooseCompression, dumpDatabase } from '../../packages/server/src/postgres/dump.ts';
import { openSnapshot } from '../../packages/server/src/postgres/snapshot.ts';
import { findPostgresTools } from '../../packages/server/src/postgres/tools.ts';
import { systemClock } from '../../packages/server/src/system/clock.ts';
import { createLog } from '../../packages/server/src/system/log.ts';
import { describeDisposables } from '../../packages/server/test/conformance/disposables.ts';
import { ask, eventually } from '../../packages/server/test/conformance/instance-runtime.ts';
import { runInside } from '../../packages/server/test/disposable/disposable-place.ts';
import { dockerLines, ENGINE, ours, temporaryFolder } from './engine.ts';

const MIB = 2 ** 20;
const major = ENGINE.majors[0] as number;
const folder = temporaryFolder();
const dataFolder = join(folder.path, 'data');
const runFolder = join(folder.path, 'run');
const archivePath = join(dataFolder, 'archive.dump');
let engine: DockerEngine;
let provider: DisposableProvider;

beforeAll(async () => {
  engine = openDockerEngine({ socketPath: ENGINE.socketPath, dataFolder });
  provider = createDockerDisposables({ engine, image: ENGINE.image, dataFolder, runFolder, log: createLog('silent') });
  mkdirSync(dataFolder, { mode: 0o711 });
  await makeArchive();
});
afterEach(async () => expect(await left()).toEqual([]));
afterAll(() => folder.remove());

describeDisposables('the Docker provider', {}, async () => ({
  provider,
  request: ({ limits, ...change } = {}) => ({ ...requestOf(limits ?? {}, 1_000_000), signal: new AbortController().signal, ...change }),
  traces: left,
  release: async () => undefined,
}));

it('restores a dump in several jobs, in memory and on disk', async () => {
  for (const expectedBytes of [1_000_000, 3 * 1024 * MIB]) {
    await using instance = await open({}, expectedBytes);
    expect(instance.sandbox).toBe('docker');
    expect(instance.postgresVersion).toMatch(new RegExp(`^${major}\\.`));
    const ended = await instance.pgRestore(['--exit-on-error', '--jobs=2', '--no-password']);
    expect(ended).toMatchObject({ exitCode: 0, stderr: '' });
    expect(await ask(instance.superuser, 'select count(*)::int from orders')).toBe(100);
    expect([instance.exceeded(), instance.crashed()]).toEqual([undefined, false]);
  }
});

it('shows what runs inside no network, no writable system, no privileges and no file of the host', async () => {
  await using instance = await open();
  const inside = (shell: string) => runInside(instance, shell);
  expect(await inside('ls /sys/class/net')).toBe('lo');
  expect(await inside('(echo > /dev/tcp/1.1.1.1/53) 2>&1 | cat; exit 0')).not.toBe('');
  expect(
    await inside('for path in /etc/x /usr/x /flux/archive /flux/socket/x /x; do (echo x > $path) 2>/dev/null && echo $path; done; exit 0'),
  ).toBe('');
  expect(await inside(`awk '/^Cap(Prm|Eff|Bnd)|^NoNewPrivs/ {print $2}' /proc/self/status | sort -u`)).toBe('0000000000000000\n1');
  expect(await inside(`ls ${folder.path} 2>/dev/null; exit 0`)).toBe('');
  expect(await inside('ls /proc | grep -c "^[0-9]*$"')).toMatch(/^1?\d$/);
  expect(await inside('ls /var/run/docker.sock 2>/dev/null; exit 0')).toBe('');
});

it.each([
  ['memory', { memoryBytes: 400 * MIB }, `awk 'BEGIN { for (text = "x"; ; ) text = text text }'`],
  ['processes', { processes: 20 }, 'for i in $(seq 60); do sleep 20 & done; wait'],
] as const)('stops what exceeds its bound of %s, and says so', async (limit, limits, shell) => {
  await using instance = await open(limits);
  await expect(runInside(instance, shell)).rejects.toThrow();
  await eventually(async () => expect(instance.exceeded()).toMatchObject({ limit }));
  expect(instance.gone.aborted).toBe(true);
});

it.each([
  ['in memory', 1_000_000],
  ['on disk', 3 * 1024 * MIB],
])('stops what writes more than its bound of disk %s', async (_where, expectedBytes) => {
  await using instance = await open({ diskBytes: 300 * MIB }, expectedBytes);
  await expect(
    ask(instance.superuser, `create table bomb as select repeat(md5(n::text), 200) || n as t from generate_series(1, 100000000) n`),
  ).rejects.toThrow();
  await eventually(async () => expect(instance.exceeded()).toMatchObject({ limit: 'disk' }));
});

it('says which image is missing', async () => {
  const other = createDockerDisposables({ engine, image: 'flux-nothing:{major}', dataFolder, runFolder, log: createLog('silent') });
  await expect(open({}, 1_000_000, undefined, other)).rejects.toMatchObject({
    code: 'postgres_missing',
    message: expect.stringContaining(`flux-nothing:${major}`),
  });
});

it('says that there is no Docker, and how to start it', async () => {
  const nowhere = openDockerEngine({ socketPath: join(folder.path, 'no.sock'), dataFolder });
  const other = createDockerDisposables({ engine: nowhere, image: ENGINE.image, dataFolder, runFolder, log: createLog('silent') });
  await expect(open({}, 1_000_000, undefined, other)).rejects.toMatchObject({
    code: 'sandbox_unavailable',
    message: expect.stringContaining('Docker does not answer'),
    hint: expect.stringContaining('systemctl start docker'),
  });
  await other.sweep();
});

it('sweeps what a killed control plane left, and nothing of one that lives', async () => {
  await using mine = await open();
  const source = (path: string) => JSON.stringify(new URL(`../../packages/server/src/${path}`, import.meta.url).href);
  const request = { ...requestOf({}, 3 * 1024 * MIB), signal: undefined };
  const child = spawn(
    process.execPath,
    [
      '--input-type=module',
      '-e',
      `import { openDockerEngine } from ${source('instances/docker/engine.ts')};
       import { createDockerDisposables } from ${source('disposable/docker/provider.ts')};
       import { createLog } from ${source('system/log.ts')};
       const engine = openDockerEngine(${JSON.stringify({ socketPath: ENGINE.socketPath, dataFolder })});
       const provider = createDockerDisposables({ engine, log: createLog('silent'), ...${JSON.stringify({ image: ENGINE.image, dataFolder, runFolder })} });
       await provider.open({ ...${JSON.stringify(request)}, signal: new AbortController().signal });
       process.stdout.write('ready');
       setInterval(() => undefined, 1000);`,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  await once(child.stdout, 'data');
  child.kill('SIGKILL');
  await once(child, 'close');
  expect((await dockerLines('ps', '-q')).length).toBe(2);

  await provider.sweep();

  expect((await dockerLines('ps', '-aq')).length).toBe(1);
  expect(await dockerLines('volume', 'ls', '-q')).toEqual([]);
  expect(await ask(mine.superuser, 'select 1')).toBe(1);
});

/** Everything that instances have left behind: containers, volumes and folders. */
async function left(): Promise<readonly string[]> {
  const folders = existsSync(join(dataFolder, 'disposable')) ? readdirSync(join(dataFolder, 'disposable')) : [];
  return [...(await ours()), ...folders, ...readdirSync(runFolder).filter((name) => name.startsWith('d-'))];
}

function requestOf(limits: Partial<DisposableLimits>, expectedBytes: number) {
  return {
    major,
    expectedBytes,
    limits: { memoryBytes: 1024 * MIB, diskBytes: 16 * 1024 * MIB, processes: 40, wallClockMs: 100_000, ...limits },
    locale: { encoding: 'UTF8', collate: 'C.UTF-8', ctype: 'C.UTF-8' },
    extensions: [],
    needs: undefined,
    archivePath,
  };
}

function open(
  limits: Partial<DisposableLimits> = {},
  expectedBytes = 1_000_000,
  signal = new AbortController().signal,
  from = provider,
): Promise<DisposableInstance> {
  return from.open({ ...requestOf(limits, expectedBytes), signal });
}

/** Dumps a small database of an instance with the tools of the image, as happens on a host that has none. */
async function makeArchive(): Promise<void> {
  const nothing = await findPostgresTools([]);
  const host = { majors: () => [], require: (wanted: number) => nothing.require(wanted + 100, 'client') };
  const runtime = createDockerRuntime({ engine, image: ENGINE.image, dataFolder, runFolder, log: createLog('silent'), clock: systemClock });
  await runtime.open();
  try {
    await runtime.create({ id: 'source', major, network: 'loopback' });
    const target = runtime.superuser('source');
    await using session = await connectPostgres(target, { searchPath: 'role' });
    await session.run(
      'create table orders as select id, md5(id::text) as note from generate_series(1, 100) as id; create index on orders (note)',
    );
    await using snapshot = await openSnapshot(target, {});
    const tools = createDockerToolbox({ engine, image: ENGINE.image, host }).require(major, 'client');
    const compression = await chooseCompression(tools);
    const onStdout = (stdout: NodeJS.ReadableStream) => pipeline(stdout, createWriteStream(archivePath, { mode: 0o600 }));
    await dumpDatabase({ tools, target, snapshotId: snapshot.id, compression, onStdout });
    await expect(
      dumpDatabase({
        tools,
        target: { ...target, password: 'wrong' },
        snapshotId: snapshot.id,
        compression,
        onStdout: async () => undefined,
      }),
    ).rejects.toMatchObject({ code: 'dump_failed', message: expect.stringContaining('password authentication failed') });
  } finally {
    for (const { id } of await runtime.list()) await runtime.remove(id);
    await runtime.close('stop');
  }
}
