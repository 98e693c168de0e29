import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown, cp, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { postmasterPid } from '../../../../acceptance/harness/postmaster.ts';
import type { InstanceRuntime } from '../../src/instances/instance.ts';
import { boundLog } from '../../src/instances/local/log-file.ts';
import { createLocalRuntime } from '../../src/instances/local/runtime.ts';
import { systemClock } from '../../src/system/clock.ts';
import { createLog } from '../../src/system/log.ts';
import { readProcess } from '../../src/system/process-table.ts';
import { ask, eventually } from '../conformance/instance-runtime.ts';
import { type LocalPlace, prepareLocalPlace } from './local-place.ts';

let place: LocalPlace;
let runtime: InstanceRuntime;
const make = () => createLocalRuntime({ ...place, log: createLog('silent'), clock: systemClock });
const folderOf = (id: string) => join(place.dataFolder, 'instances', id);

beforeAll(async () => {
  place = await prepareLocalPlace();
});
afterAll(() => place.release());
beforeEach(async () => {
  runtime = make();
  await runtime.open();
});
afterEach(async () => {
  for (const status of await runtime.list()) await runtime.remove(status.id);
  await runtime.close('stop');
});

it('adopts the server of a control plane that was killed', async () => {
  await runtime.close('stop');
  const script = `
    import { createLocalRuntime } from ${JSON.stringify(new URL('../../src/instances/local/runtime.ts', import.meta.url).href)};
    import { chooseWall } from ${JSON.stringify(new URL('../../src/instances/local/wall.ts', import.meta.url).href)};
    import { findPostgresTools } from ${JSON.stringify(new URL('../../src/postgres/tools.ts', import.meta.url).href)};
    import { createLog } from ${JSON.stringify(new URL('../../src/system/log.ts', import.meta.url).href)};
    const options = ${JSON.stringify({ dataFolder: place.dataFolder, runFolder: place.runFolder, account: place.account })};
    const wall = await chooseWall({ ...options, wanted: ${JSON.stringify(place.wall.kind)}, hidden: [] });
    const runtime = createLocalRuntime({ ...options, wall, toolbox: await findPostgresTools([]), log: createLog('silent'), clock: { now: () => new Date() } });
    await runtime.open();
    await runtime.create({ id: 'orphan', major: ${place.major}, network: 'none' });
    process.stdout.write('ready');
    setInterval(() => undefined, 1000);
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  child.kill('SIGKILL');
  await once(child, 'close');
  const pid = postmasterPid(join(folderOf('orphan'), 'data'));
  expect(await readProcess(pid)).toBeDefined();

  runtime = make();
  await runtime.open();

  expect(await runtime.status('orphan')).toMatchObject({ state: 'running', restarts: 0 });
  expect(postmasterPid(join(folderOf('orphan'), 'data'))).toBe(pid);
  await runtime.stop('orphan');
  expect(await readProcess(pid)).toBeUndefined();
});

it('is not misled by a pid file that names a process of somebody else', async () => {
  await runtime.create({ id: 'one', major: place.major, network: 'none' });
  await runtime.stop('one');
  // Of the same account, which is what Postgres itself looks at.
  const { account } = place;
  const bystander = spawn('sleep', ['60'], { stdio: 'ignore', ...(account && { uid: account.uid, gid: account.gid }) });
  const pidFile = join(folderOf('one'), 'data', 'postmaster.pid');
  await writeFile(pidFile, `${bystander.pid}\n${folderOf('one')}/data\n1\n5432\n/nowhere\n\n1 1\nready\n`, { mode: 0o644 });
  try {
    await runtime.start('one');
    expect(await runtime.status('one')).toMatchObject({ state: 'running' });
    await runtime.stop('one');
    expect(bystander.exitCode ?? bystander.signalCode).toBeNull();
  } finally {
    bystander.kill('SIGKILL');
  }
});

it('keeps the port of an instance when another program has taken it, says so, and recovers', async () => {
  await runtime.create({ id: 'one', major: place.major, network: 'loopback' });
  await runtime.stop('one');
  const { port } = await runtime.status('one');
  const intruder = await listenOn(port as number);
  await expect(runtime.start('one')).rejects.toMatchObject({ code: 'port_taken', message: expect.stringContaining(String(port)) });
  expect(await runtime.status('one')).toMatchObject({ state: 'failing', port, problem: expect.stringContaining(String(port)) });
  await new Promise((resolve) => intruder.close(resolve));
  await eventually(async () => expect(await runtime.status('one')).toMatchObject({ state: 'running', port }));
});

it('reports a server that keeps dying as failing, with its last words', async () => {
  await runtime.create({ id: 'one', major: place.major, network: 'none' });
  await runtime.stop('one');
  await rm(join(folderOf('one'), 'data', 'global', 'pg_control'));
  await expect(runtime.start('one')).rejects.toMatchObject({ code: 'instance_unavailable' });
  expect(await runtime.status('one')).toMatchObject({ state: 'failing', problem: expect.stringContaining('pg_control') });
});

it('removes what a create that was killed half-way left, and never what it cannot read', async () => {
  await runtime.create({ id: 'whole', major: place.major, network: 'none' });
  await runtime.create({ id: 'half', major: place.major, network: 'none' });
  await runtime.stop('whole');
  await runtime.close('stop');
  const record = join(folderOf('half'), 'instance.json');
  await writeFile(record, (await readFile(record, 'utf8')).replace('"ready"', '"making"'));
  await writeFile(join(folderOf('whole'), 'instance.json'), '{');
  await mkdir(folderOf('empty'));

  runtime = make();
  await runtime.open();

  expect(await runtime.status('half')).toMatchObject({ state: 'missing' });
  await expect(stat(folderOf('half'))).rejects.toThrow();
  await expect(stat(folderOf('empty'))).rejects.toThrow();
  expect(await runtime.status('whole')).toMatchObject({ state: 'corrupted', problem: expect.stringContaining('instance.json') });
  expect((await stat(join(folderOf('whole'), 'data'))).isDirectory()).toBe(true);
  await expect(runtime.create({ id: 'whole', major: place.major, network: 'none' })).rejects.toMatchObject({
    code: 'instance_unavailable',
    hint: expect.stringContaining('flux doctor'),
  });
});

it('tells of a data folder that is gone', async () => {
  await runtime.create({ id: 'one', major: place.major, network: 'none' });
  await runtime.stop('one');
  await rm(join(folderOf('one'), 'data'), { recursive: true });
  expect(await runtime.status('one')).toMatchObject({ state: 'corrupted', problem: expect.stringContaining('PG_VERSION') });
  await rm(folderOf('one'), { recursive: true });
  expect(await runtime.status('one')).toMatchObject({ state: 'missing' });
});

it('creates nothing where something is that it does not know, and removes nothing of it', async () => {
  await runtime.create({ id: 'there', major: place.major, network: 'none' });
  await runtime.close('stop');
  const secret = await readFile(join(folderOf('there'), 'superuser.secret'), 'utf8');
  // One that never took up what is there.
  runtime = make();
  const created = runtime.create({ id: 'there', major: place.major, network: 'none' });
  await expect(created).rejects.toMatchObject({ code: 'instance_unavailable', message: expect.stringContaining('exists already') });
  expect(await readFile(join(folderOf('there'), 'superuser.secret'), 'utf8')).toBe(secret);
  await runtime.open();
  expect(await ask(runtime.superuser('there'), 'select 1')).toBe(1);
});

it('creates an instance again whose first creation could not be cleaned up after it had failed', async () => {
  await runtime.create({ id: 'again', major: place.major, network: 'none' });
  await runtime.close('stop');
  const record = join(folderOf('again'), 'instance.json');
  await writeFile(record, (await readFile(record, 'utf8')).replace('"ready"', '"making"'));
  runtime = make();
  await runtime.create({ id: 'again', major: place.major, network: 'none' });
  expect(await ask(runtime.superuser('again'), 'select 1')).toBe(1);
});

it('leaves a server that is about to become ready running when it is closed with keep', async () => {
  const data = join(folderOf('starting'), 'data');
  const signal = async (name: string) => {
    await writeFile(join(data, name), '');
    const { uid, gid } = await stat(data);
    await chown(join(data, name), uid, gid);
  };
  await runtime.create({ id: 'starting', major: place.major, network: 'none' });
  await runtime.stop('starting');
  // A standby that lets nobody in recovers until it is promoted. Source: the manual, "hot_standby" and "Failover".
  await runtime.configure('starting', { hot_standby: 'off' });
  await signal('standby.signal');
  const starting = runtime.start('starting').catch((error: Error) => error.name);
  await eventually(async () => expect(postmasterPid(data)).toBeGreaterThan(0));
  const pid = postmasterPid(data);
  await runtime.close('keep');
  expect(await starting).toBe('AbortError');
  expect(await readProcess(pid)).toBeDefined();
  await signal('promote');
  process.kill(pid, 'SIGUSR1');
  runtime = make();
  await runtime.open();
  expect(await runtime.status('starting')).toMatchObject({ state: 'running', restarts: 0 });
  expect(postmasterPid(data)).toBe(pid);
});

it('writes no standing where the folder is gone', async () => {
  await runtime.create({ id: 'one', major: place.major, network: 'none' });
  await runtime.writeStanding('one', 'live');
  expect(await runtime.readStanding('one')).toBe('live');
  await runtime.stop('one');
  await rm(folderOf('one'), { recursive: true });
  await runtime.writeStanding('one', 'removing');
  expect(await runtime.readStanding('one')).toBeUndefined();
  await runtime.remove('one');
});

it('writes neither the password nor the words of a failing statement into the log, and shows secrets to nobody else', async () => {
  await runtime.create({ id: 'one', major: place.major, network: 'none' });
  const { password } = runtime.superuser('one');
  await expect(ask(runtime.superuser('one'), `alter role nobody_here password 'hunter2hunter2'`)).rejects.toThrow();
  const log = await readFile(join(folderOf('one'), 'log', 'postgres.log'), 'utf8');
  expect(log).toContain('nobody_here');
  expect(log).not.toContain('hunter2hunter2');
  expect(log).not.toContain(password);
  expect((await stat(join(folderOf('one'), 'superuser.secret'))).mode & 0o777).toBe(0o600);
  expect((await stat(runtime.superuser('one').host)).mode & 0o777).toBe(0o700);
});

it.runIf(process.getuid?.() === 0)('refuses folders that belong to somebody else or that Postgres cannot reach', async () => {
  const foreign = join(place.dataFolder, 'foreign');
  await mkdir(foreign);
  await chown(foreign, 4242, 4242);
  const options = { ...place, log: createLog('silent'), clock: systemClock };
  await expect(createLocalRuntime({ ...options, runFolder: foreign }).open()).rejects.toMatchObject({ code: 'volume_unusable' });

  const closed = join(place.dataFolder, 'closed');
  await mkdir(closed, { mode: 0o700 });
  await expect(createLocalRuntime({ ...options, dataFolder: join(closed, 'data') }).open()).rejects.toMatchObject({
    code: 'volume_unusable',
    message: expect.stringContaining(`${closed} is closed`),
  });
});

it('keeps a log within bounds and one old copy of it', async () => {
  const log = join(place.dataFolder, 'a.log');
  await writeFile(log, 'x'.repeat(2000));
  await boundLog(log, 3000);
  expect((await stat(log)).size).toBe(2000);
  await boundLog(log, 1000);
  expect((await stat(log)).size).toBe(0);
  expect((await stat(`${log}.1`)).size).toBe(2000);
});

function listenOn(port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}

it('leaves a copy of the folder of an instance alone, whatever its record says, and hosts the instance once', async () => {
  await runtime.create({ id: 'one', major: place.major, network: 'none' });
  await runtime.writeStanding('one', 'live');
  await runtime.close('stop');
  for (const copy of ['one-old', 'one-half']) await cp(folderOf('one'), folderOf(copy), { recursive: true, preserveTimestamps: true });
  const record = join(folderOf('one-half'), 'instance.json');
  await writeFile(record, (await readFile(record, 'utf8')).replace('"ready"', '"removing"'));

  runtime = make();
  await runtime.open();

  expect(await runtime.status('one')).toMatchObject({ state: 'running', problem: null });
  for (const copy of ['one-old', 'one-half'])
    expect(await runtime.status(copy)).toMatchObject({ state: 'corrupted', problem: expect.stringContaining('its record is that of one') });
  await runtime.writeStanding('one-old', 'removing');
  expect(await runtime.readStanding('one-old')).toBe('live');

  await runtime.stop('one');
  await runtime.close('stop');
  runtime = make();
  await runtime.open();
  expect(await runtime.status('one')).toMatchObject({ state: 'stopped' });
  await runtime.remove('one');
  expect(await runtime.status('one')).toMatchObject({ state: 'missing' });
  expect((await stat(join(folderOf('one-old'), 'data', 'PG_VERSION'))).isFile()).toBe(true);
  expect(await readFile(record, 'utf8')).toContain('"removing"');
});
