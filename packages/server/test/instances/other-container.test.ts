import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { postmasterPid } from '../../../../acceptance/harness/postmaster.ts';
import { leaveOut, needsSandbox } from '../../../../acceptance/harness/sandbox.ts';
import { createLocalRuntime } from '../../src/instances/local/runtime.ts';
import { systemClock } from '../../src/system/clock.ts';
import { createLog } from '../../src/system/log.ts';
import { runProcess } from '../../src/system/process.ts';
import { ask } from '../conformance/instance-runtime.ts';
import { prepareLocalPlace } from './local-place.ts';

/** As in another container with the same volume: the processes of this one are not there to be seen. */
const ELSEWHERE = ['--pid', '--ipc', '--fork', '--mount-proc', ...(process.getuid?.() === 0 ? [] : ['--user', '--map-root-user'])];
const { exitCode, stderr } = await runProcess('unshare', [...ELSEWHERE, 'true']);
const here = exitCode === 0 ? {} : leaveOut(`unshare cannot make a namespace of processes on this host (${stderr.trim()})`);
const title = 'in another container, a runtime starts no second server on data whose server has outlived its control plane';

it(`${title}, without a wall`, here, () => expectRefusal('off'));
it(`${title}, behind a wall`, { ...here, ...(await needsSandbox('unshare')) }, () => expectRefusal('unshare'));

async function expectRefusal(kind: 'off' | 'unshare'): Promise<void> {
  const place = await prepareLocalPlace(kind);
  const make = () => createLocalRuntime({ ...place, log: createLog('silent'), clock: systemClock });
  const data = join(place.dataFolder, 'instances/one/data');
  let runtime = make();
  try {
    await runtime.open();
    await runtime.create({ id: 'one', major: place.major, network: 'none' });
    await ask(runtime.superuser('one'), 'create table t as select generate_series(1, 1000) as n');
    await runtime.close('keep');
    const pid = postmasterPid(data);
    const pidFile = await readFile(join(data, 'postmaster.pid'), 'utf8');

    const status = await openElsewhere(place.dataFolder, place.runFolder, kind);
    expect(status).toMatchObject({ state: 'failing', problem: expect.stringContaining('still use its data') });

    expect(await readFile(join(data, 'postmaster.pid'), 'utf8')).toBe(pidFile);
    runtime = make();
    await runtime.open();
    expect(postmasterPid(data)).toBe(pid);
    expect(await ask(runtime.superuser('one'), 'select count(*)::int as n from t')).toBe(1000);
  } finally {
    await runtime.remove('one');
    await runtime.close('stop');
    await place.release();
  }
}

async function openElsewhere(dataFolder: string, runFolder: string, kind: string): Promise<unknown> {
  const source = (path: string) => JSON.stringify(new URL(`../../src/${path}`, import.meta.url).href);
  const script = `
    import { createLocalRuntime } from ${source('instances/local/runtime.ts')};
    import { chooseWall } from ${source('instances/local/wall.ts')};
    import { findPostgresTools } from ${source('postgres/tools.ts')};
    import { resolveAccount } from ${source('system/account.ts')};
    import { createLog } from ${source('system/log.ts')};
    const options = { ...${JSON.stringify({ dataFolder, runFolder })}, account: await resolveAccount(undefined) };
    const wall = await chooseWall({ ...options, wanted: ${JSON.stringify(kind)}, hidden: [] });
    const toolbox = await findPostgresTools([]);
    const runtime = createLocalRuntime({ ...options, wall, toolbox, log: createLog('silent'), clock: { now: () => new Date() } });
    await runtime.open();
    process.stdout.write(JSON.stringify(await runtime.status('one')));
    process.exit();`;
  const { exitCode, stdout, stderr } = await runProcess('unshare', [...ELSEWHERE, process.execPath, '--input-type=module', '-e', script]);
  expect(exitCode, stderr).toBe(0);
  return JSON.parse(stdout);
}
