import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openDockerEngine } from '../../packages/server/src/instances/docker/engine.ts';
import { createDockerRuntime } from '../../packages/server/src/instances/docker/runtime.ts';
import type { InstanceRuntime } from '../../packages/server/src/instances/instance.ts';
import { connectPostgres } from '../../packages/server/src/postgres/connect.ts';
import { systemClock } from '../../packages/server/src/system/clock.ts';
import { createLog } from '../../packages/server/src/system/log.ts';
import { ask, eventually } from '../../packages/server/test/conformance/instance-runtime.ts';
import { ENGINE, temporaryFolder } from './engine.ts';

const folder = temporaryFolder();
const dataFolder = join(folder.path, 'data');
const runFolder = join(folder.path, 'run');
/** A text that only the other instance holds. */
const SECRET = randomBytes(16).toString('hex');
let runtime: InstanceRuntime;

beforeAll(async () => {
  const engine = openDockerEngine({ socketPath: ENGINE.socketPath, dataFolder });
  runtime = createDockerRuntime({ engine, image: ENGINE.image, dataFolder, runFolder, log: createLog('silent'), clock: systemClock });
  await runtime.open();
  const major = ENGINE.majors[0] as number;
  await runtime.create({ id: 'one', major, network: 'loopback' });
  await runtime.create({ id: 'two', major, network: 'loopback' });
  await ask(runtime.superuser('two'), `create table secrets as select '${SECRET}'::text as secret`);
  await ask(runtime.superuser('two'), 'checkpoint');
});
afterAll(async () => {
  for (const { id } of await runtime.list()) await runtime.remove(id);
  await runtime.close('stop');
  folder.remove();
});

it('shows a superuser nothing of another instance, of the host or of Docker', async () => {
  expect(await inside(`grep -rls '${SECRET}' /var /flux /tmp /run /dev/shm 2>/dev/null || true`)).toBe('');
  expect(await inside(`ls -d /var/run/docker.sock ${dataFolder} ${runFolder} 2>/dev/null || true`)).toBe('');
  expect(await inside('ls -A /flux/socket | grep -c "^.s.PGSQL.[0-9]*$"')).toBe('1');
  expect(await inside('cat /proc/[0-9]*/cmdline | tr "\\0" " "')).not.toContain('flux-two');
  // Only its own: the IPC namespace is private.
  expect(await inside('tail -n +2 /proc/sysvipc/shm | wc -l')).toBe('1');
});

it('lets it change nothing but its data, and gain no rights', async () => {
  const attacks = {
    mount: 'mount -t tmpfs none /tmp',
    chroot: 'chroot / true',
    'a device': 'mknod /tmp/disk b 8 0',
    'a namespace': 'unshare --user --map-root-user mount -t tmpfs none /tmp',
    'the root': ': > /written',
    programs: ': > /usr/lib/written',
    'settings of the kernel': 'echo 1 > /proc/sys/kernel/panic_on_oops',
    'more rights from a program': 'test "$(sed -n "s/^NoNewPrivs:[[:space:]]*//p" /proc/self/status)" = 0',
    'a capability': '! grep -q "^CapBnd:[[:space:]]*0*$" /proc/self/status',
    'being root': 'test "$(id -u)" = 0',
  };
  const lines = Object.entries(attacks).map(([name, script]) => `if (${script}) > /dev/null 2>&1; then echo '${name}'; fi`);
  expect(await inside(lines.join('\n'))).toBe('');
});

it('ends nobody else when it kills every process that it can', async () => {
  const started = () => ask(runtime.superuser('two'), 'select pg_postmaster_start_time()::text');
  const before = await started();
  await inside('kill -9 -1').catch(() => undefined);
  await eventually(async () => expect(await runtime.status('one')).toMatchObject({ state: 'running' }));
  await eventually(async () => expect(await ask(runtime.superuser('one'), 'select 1')).toBe(1));
  expect(await started()).toBe(before);
});

/** Runs a script as the superuser of the first instance can; what it prints. */
async function inside(shell: string): Promise<string> {
  await using session = await connectPostgres(runtime.superuser('one'), { searchPath: 'role' });
  await session.run('create temp table said (line text)');
  await session.run(`copy said from program $flux$${shell}$flux$ with (format csv, delimiter e'\\x01', quote e'\\x02')`);
  return (await session.query<{ line: string }>('select line from said')).map((row) => row.line).join('\n');
}
