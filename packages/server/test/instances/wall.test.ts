import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { postmasterPid } from '../../../../acceptance/harness/postmaster.ts';
import { needsSandbox } from '../../../../acceptance/harness/sandbox.ts';
import { foldersOf } from '../../src/instances/folders.ts';
import type { InstanceRuntime } from '../../src/instances/instance.ts';
import { createLocalRuntime } from '../../src/instances/local/runtime.ts';
import { chooseWall, listUnwalled } from '../../src/instances/local/wall.ts';
import { connectPostgres } from '../../src/postgres/connect.ts';
import { systemClock } from '../../src/system/clock.ts';
import { createLog } from '../../src/system/log.ts';
import { runProcess } from '../../src/system/process.ts';
import { readProcess } from '../../src/system/process-table.ts';
import { ask, eventually } from '../conformance/instance-runtime.ts';
import { type LocalPlace, prepareLocalPlace } from './local-place.ts';

describe('the wall by bubblewrap', await needsSandbox('bubblewrap'), () => testWall('bubblewrap'));
describe('the wall by unshare', await needsSandbox('unshare'), () => testWall('unshare'));

function testWall(kind: 'bubblewrap' | 'unshare'): void {
  let place: LocalPlace;
  let runtime: InstanceRuntime;
  const folderOf = (id: string) => join(place.dataFolder, 'instances', id);
  const pidOf = (id: string) => postmasterPid(join(folderOf(id), 'data'));
  const open = async (wall = place.wall) => {
    runtime = createLocalRuntime({ ...place, wall, log: createLog('silent'), clock: systemClock });
    await runtime.open();
  };
  const reopen = async (wall = place.wall) => {
    await runtime.close('keep');
    await open(wall);
  };

  beforeAll(async () => {
    place = await prepareLocalPlace(kind);
    await open();
    await runtime.create({ id: 'one', major: place.major, network: 'loopback' });
    await runtime.create({ id: 'two', major: place.major, network: 'none' });
    await writeFile(join(place.dataFolder, 'secret.key'), 'of Flux', { mode: 0o644 });
  });
  afterAll(async () => {
    for (const status of (await runtime?.list()) ?? []) await runtime.remove(status.id);
    await runtime?.close('stop');
    await place?.release();
  });

  it('shows a superuser its own data, socket and settings, and of other instances and Flux nothing', async () => {
    const two = runtime.superuser('two').host;
    const inside = (shell: string) => runShell(runtime, 'one', shell);
    // The account owns all of it: outside it could read each of these.
    for (const path of [
      join(folderOf('two'), 'data'),
      two,
      join(folderOf('one'), 'superuser.secret'),
      join(place.dataFolder, 'secret.key'),
    ])
      expect(await inside(`ls -d ${path} 2>&1 || true`)).toContain('No such file');
    expect(await inside(`ls ${folderOf('one')}`)).toBe('data\nsettings');
    expect(await inside(`ls ${join(place.dataFolder, 'instances')} ${place.runFolder}`)).not.toContain('two');
    expect(await inside('ls /home /root /etc/shadow /var/lib 2>/dev/null || true')).toBe('');
    expect(await inside(`(echo >> ${folderOf('one')}/settings/postgresql.conf) 2>/dev/null && echo written || echo refused`)).toBe(
      'refused',
    );
    expect(await inside('cat /proc/[0-9]*/cmdline | tr "\\0" " "')).not.toContain('flux-two');
    expect(await inside(`kill -0 ${pidOf('two')} 2>/dev/null && echo reached || echo nobody`)).toBe('nobody');
    expect(await inside('unshare --user true 2>/dev/null && echo entered || echo refused')).toBe('refused');
  });

  it('keeps a server through the end of what a program in it has left behind', async () => {
    await using session = await connectPostgres(runtime.superuser('one'), { searchPath: 'role' });
    await runShell(runtime, 'one', `sh -c 'sleep 0.05; kill -9 $$' > /dev/null 2>&1 &`);
    await sleep(300);
    expect(await session.query('select 1 as alive')).toEqual([{ alive: 1 }]);
    expect(await runShell(runtime, 'one', 'ps -eo stat | grep -c Z || true')).toBe('0');
  });

  it('takes over a server that runs without a wall, tells of it, and builds one at its next start', async () => {
    const { account, dataFolder, runFolder } = place;
    const none = await chooseWall({ wanted: 'off', dataFolder, runFolder, hidden: [], account });
    await reopen(none);
    await runtime.stop('two');
    await runtime.start('two');
    expect(await listUnwalled(dataFolder, runFolder, ['one', 'two'])).toEqual(['two']);
    await reopen();
    expect(await runtime.status('two')).toMatchObject({ state: 'running', restarts: 0 });
    expect(await listUnwalled(dataFolder, runFolder, ['one', 'two'])).toEqual(['two']);
    await runtime.stop('two');
    await runtime.start('two');
    expect(await listUnwalled(dataFolder, runFolder, ['one', 'two'])).toEqual([]);
  });

  it('finds a server again whose wall was bereft of its outer process, and starts it again when the server is killed', async () => {
    const pid = pidOf('one');
    // Bubblewrap and unshare wait outside for the first process inside.
    const inner = (await readProcess(pid))?.parentPid ?? 0;
    const outer = (await readProcess(inner))?.parentPid ?? 0;
    expect((await readProcess(outer))?.name).toBe(kind === 'bubblewrap' ? 'bwrap' : 'unshare');
    process.kill(outer, 'SIGKILL');
    await eventually(async () => expect(await runtime.status('one')).toMatchObject({ state: 'running' }));
    await eventually(async () => expect(await ask(runtime.superuser('one'), 'select 1')).toBe(1));
    expect(pidOf('one')).toBe(pid);
    process.kill(pid, 'SIGKILL');
    await eventually(async () => expect([0, pid]).not.toContain(pidOf('one')));
    await eventually(async () => expect(await runtime.status('one')).toMatchObject({ state: 'running' }));
  });

  it('starts no second server on data that another process behind a wall holds', async () => {
    await runtime.stop('two');
    const lock = join(folderOf('two'), 'lock');
    const holder = spawn('flock', [lock, 'sleep', '60'], { stdio: 'ignore', detached: true });
    await once(holder, 'spawn');
    await sleep(100);
    try {
      await expect(runtime.start('two')).rejects.toMatchObject({
        code: 'instance_unavailable',
        message: expect.stringContaining('still use its data'),
      });
    } finally {
      process.kill(-(holder.pid as number), 'SIGKILL');
    }
    await runtime.start('two');
  });

  it('is not held up by a pipe in place of the file in which a server says who it is', async () => {
    await runtime.stop('two');
    await runShell(runtime, 'one', 'true');
    const { account } = place;
    const data = join(folderOf('two'), 'data');
    const made = spawn('mkfifo', [join(data, 'postmaster.pid')], {
      stdio: 'ignore',
      ...(account && { uid: account.uid, gid: account.gid }),
    });
    await once(made, 'close');
    await runtime.start('two');
    expect(await runtime.status('two')).toMatchObject({ state: 'running' });
  });

  it('hides folders of Flux that lie where software does', async () => {
    const { account, dataFolder, runFolder, toolbox, major } = place;
    // As if Postgres had been unpacked beside the backups: `share` beside its folder of programs is shown.
    const software = join(dataFolder, 'software');
    const backups = join(software, 'share', 'flux', 'backups');
    for (const folder of [software, join(software, 'bin'), join(software, 'share'), join(software, 'share', 'flux'), backups]) {
      await mkdir(folder);
      await chmod(folder, 0o755);
    }
    await writeFile(join(backups, 'of-another.dump'), '', { mode: 0o644 });
    await writeFile(join(software, 'share', 'some.sql'), '', { mode: 0o644 });
    const postgres = join(software, 'bin', 'postgres');
    await writeFile(postgres, '#!/bin/sh\nexec find "$@"\n');
    await chmod(postgres, 0o755);
    const folders = foldersOf(dataFolder, runFolder, 'one');
    const tools = { ...toolbox.require(major, 'server'), postgres, initdb: undefined, pgDump: undefined, pgRestore: undefined };
    const look = async (hidden: readonly string[]) => {
      const wall = await chooseWall({ wanted: kind, dataFolder, runFolder, hidden, account });
      await runtime.stop('one');
      const { command, args } = await wall.enter(folders, tools, [join(software, 'share'), '-type', 'f']);
      const seen = await runProcess(command, args, { account });
      await runtime.start('one');
      return `${seen.stdout}${seen.stderr}`.trim();
    };
    expect(await look([])).toContain('of-another.dump');
    expect(await look([backups])).toBe(join(software, 'share', 'some.sql'));
  });
}

/** Runs a program as the superuser of an instance can, and returns what it printed. */
async function runShell(runtime: InstanceRuntime, id: string, shell: string): Promise<string> {
  await using session = await connectPostgres(runtime.superuser(id), { searchPath: 'role' });
  await session.run('create temp table said (line text)');
  await session.run(`copy said from program $flux$${shell}$flux$ with (format csv, delimiter e'\\x01', quote e'\\x02')`);
  return (await session.query<{ line: string }>('select line from said')).map((row) => row.line).join('\n');
}
