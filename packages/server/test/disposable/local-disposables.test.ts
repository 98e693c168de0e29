import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { needsSandbox, whyNoSandbox } from '../../../../acceptance/harness/sandbox.ts';
import type { DisposableProvider } from '../../src/disposable/provider.ts';
import { adviseOnSandbox, readHostFacts } from '../../src/instances/sandbox/advice.ts';
import { chooseSandbox, countsPerNamespace } from '../../src/instances/sandbox/sandbox.ts';
import { ask, eventually } from '../conformance/instance-runtime.ts';
import { type DisposablePlace, prepareDisposablePlace, writeDump } from './disposable-place.ts';

/** What does not depend on isolation is tested without a sandbox where none works. */
const sandboxHere = (await whyNoSandbox()) === undefined ? 'auto' : 'off';

describe('the local provider of disposable instances', async () => {
  let place: DisposablePlace;
  let provider: DisposableProvider;

  beforeAll(async () => {
    place = await prepareDisposablePlace();
    provider = await place.provider(sandboxHere);
    await writeDump(place);
  });
  afterEach(async () => expect(await place.traces()).toEqual([]));
  afterAll(() => place.release());

  it('restores a dump that only the control plane may read, in one job and in several', async () => {
    expect((await stat(place.request().archivePath)).mode & 0o077).toBe(0);
    for (const args of [
      ['--exit-on-error', '--single-transaction'],
      ['--exit-on-error', '--jobs=2'],
    ]) {
      await using instance = await provider.open(place.request());
      expect(instance.postgresVersion).toMatch(new RegExp(`^${place.major}\\.`));
      const result = await instance.pgRestore(args);
      expect(result).toMatchObject({ exitCode: 0, stderr: '' });
      expect(await ask(instance.superuser, 'select sum(id)::int from orders')).toBe(5050);
      expect(instance.exceeded()).toBeUndefined();
      expect(instance.crashed()).toBe(false);
      expect(instance.gone.aborted).toBe(false);
    }
  });

  it('puts a database that is too large for memory on disk', async () => {
    await using instance = await provider.open(place.request({ limits: { memoryBytes: 160 * 2 ** 20 } }));
    expect((await instance.pgRestore([])).exitCode).toBe(0);
    expect(await ask(instance.superuser, 'select count(*)::int from orders')).toBe(100);
  });

  it.each([0, 1, 2, 3, 5, 8, 12, 20, 35])(
    'leaves nothing of a pg_restore that it ends after %i ms, while its sandbox is being built',
    async (ms) => {
      const cancel = new AbortController();
      await using instance = await provider.open(place.request({ signal: cancel.signal }));
      const restoring = instance.pgRestore([]);
      await pause(ms);
      cancel.abort();
      await restoring;
    },
  );

  const sweeps = async (sandbox: 'auto' | 'off') => {
    const href = (path: string) => JSON.stringify(new URL(`../../src/${path}`, import.meta.url).href);
    const { signal: _, ...request } = place.request();
    const script = `
      import { createLocalDisposables } from ${href('disposable/local/provider.ts')};
      import { findPostgresTools } from ${href('postgres/tools.ts')};
      import { createLog } from ${href('system/log.ts')};
      const options = ${JSON.stringify({ dataFolder: place.dataFolder, runFolder: place.runFolder, account: place.account, sandbox })};
      const provider = await createLocalDisposables({ ...options, toolbox: await findPostgresTools([]), log: createLog('silent') });
      await provider.open({ ...${JSON.stringify(request)}, signal: new AbortController().signal });
      process.stdout.write('ready');
      setInterval(() => undefined, 1000);
    `;
    await using living = await provider.open(place.request());
    const own = (await place.traces()).length;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    expect((await place.traces()).length).toBeGreaterThan(own);
    child.kill('SIGKILL');
    await once(child, 'close');
    // Without any sweep: the death of its parent ends a sandbox.
    if (sandbox === 'auto')
      await eventually(async () =>
        expect((await place.traces()).filter((trace) => trace.includes('postgres -D')).length).toBeLessThanOrEqual(own),
      );

    await provider.sweep();

    // What was ended a moment ago is listed until the kernel has taken it away.
    await eventually(async () => expect((await place.traces()).length).toBe(own));
    expect(await ask(living.superuser, 'select 1')).toBe(1);
  };
  it('sweeps what a killed control plane left, and nothing of one that lives', await needsSandbox(), () => sweeps('auto'));
  it('sweeps what a killed control plane left that had no sandbox', () => sweeps('off'));
});

describe('a provider without a sandbox, because the operator said so', () => {
  it('restores, says what it is, and leaves nothing', async () => {
    const place = await prepareDisposablePlace();
    try {
      const provider = await place.provider('off');
      expect(provider.sandbox).toBe('off');
      await writeDump(place);
      await using instance = await provider.open(place.request());
      expect(await instance.pgRestore([])).toMatchObject({ exitCode: 0 });
      expect(await ask(instance.superuser, 'select count(*)::int from orders')).toBe(100);
      await instance[Symbol.asyncDispose]();
      expect(await place.traces()).toEqual([]);
    } finally {
      await place.release();
    }
  });
});

describe('chooseSandbox', () => {
  it('says what would help when no sandbox works', async () => {
    await expect(chooseSandbox({ wanted: 'unshare', account: undefined, scaffold: '/nowhere' })).rejects.toMatchObject({
      code: 'sandbox_unavailable',
      hint: adviseOnSandbox(await readHostFacts()).hint,
    });
  });

  it.each([
    ['6.1.0-18-amd64', true],
    ['5.14.0', true],
    ['5.10.0-28-amd64', false],
    ['4.18.0', false],
  ])('knows whether kernel %s counts processes for each user namespace', (kernel, counts) => {
    expect(countsPerNamespace(kernel)).toBe(counts);
  });
});
