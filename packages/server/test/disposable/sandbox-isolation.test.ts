import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { needsSandbox } from '../../../../acceptance/harness/sandbox.ts';
import type { DisposableInstance, DisposableProvider } from '../../src/disposable/provider.ts';
import { ask, eventually } from '../conformance/instance-runtime.ts';
import { type DisposablePlace, prepareDisposablePlace, runInside, writeNoArchive } from './disposable-place.ts';

const FAILS = { timeout: 30_000 };

describe('the sandbox of bubblewrap', await needsSandbox('bubblewrap'), () => testIsolation('bubblewrap'));
describe('the sandbox of unshare', await needsSandbox('unshare'), () => testIsolation('unshare'));

function testIsolation(kind: 'bubblewrap' | 'unshare'): void {
  let place: DisposablePlace;
  let provider: DisposableProvider;
  let instance: DisposableInstance | undefined;

  beforeAll(async () => {
    place = await prepareDisposablePlace();
    provider = await place.provider(kind);
    await writeNoArchive(place);
  });
  afterEach(async () => {
    await instance?.[Symbol.asyncDispose]();
    instance = undefined;
    expect(await place.traces()).toEqual([]);
  });
  afterAll(() => place.release());

  describe('around a server within its limits', () => {
    let inside: (shell: string) => Promise<string>;

    beforeEach(async () => {
      const opened = await provider.open(place.request());
      instance = opened;
      inside = (shell) => runInside(opened, shell);
    });

    it('let nobody reach a listener of the host', async () => {
      let visits = 0;
      const server = createServer((socket) => {
        visits++;
        socket.end();
      }).listen(0, '127.0.0.1');
      await once(server, 'listening');
      const { port } = server.address() as AddressInfo;
      try {
        expect(await inside(`bash -c '(exec 3<>/dev/tcp/127.0.0.1/${port}) 2>/dev/null && echo reached || echo refused'`)).toBe('refused');
        expect(await inside('grep -c : /proc/net/dev')).toBe('1');
        expect(visits).toBe(0);
      } finally {
        server.close();
      }
    });

    it('hide the files of the host and its processes', async () => {
      await writeFile(join(place.dataFolder, 'secret.key'), 'secret', { mode: 0o644 });
      for (const path of [
        '/etc/shadow',
        '/etc/hostname',
        '/root',
        '/home',
        '/var/lib',
        '/var/log',
        '/etc/postgresql',
        '/opt',
        '/srv',
        '/work',
        '/sys',
        '/run',
        place.dataFolder,
        place.runFolder,
      ])
        expect(await inside(`test -e '${path}' && echo there || echo hidden`), path).toBe('hidden');
      expect(Number(await inside(`ls /proc | grep -c '^[0-9]'`))).toBeLessThan(20);
      expect(await inside('tr "\\0" "\\n" < /proc/self/environ | grep -ci flux_ || true')).toBe('0');
    });

    it('give no privileges and no way to more of them', async () => {
      const status = await inside('cat /proc/self/status');
      expect(status).toMatch(/CapEff:\s+0{16}/);
      expect(status).toMatch(/CapBnd:\s+0{16}/);
      expect(status).toMatch(/NoNewPrivs:\s+1/);
      expect(await inside('unshare --user true 2>/dev/null && echo made || echo refused')).toBe('refused');
    });

    it('let nobody write anywhere but into the data folder and scratch space', async () => {
      for (const path of ['/', '/usr', '/etc', '/flux', '/flux/template', '/dev', '/proc'])
        expect(await inside(`(: > ${path}/written) 2>/dev/null && echo written || echo refused`), path).toBe('refused');
      expect(await inside('(head -c 200M /dev/zero > /tmp/large) 2>/dev/null && echo written || echo refused')).toBe('refused');
    });

    it.runIf(process.getuid?.() === 0)('let nobody put something else in the place of the socket', async () => {
      expect(await inside('rm -f /flux/socket/.s.PGSQL.5432 2>/dev/null && echo removed || echo refused')).toBe('refused');
      expect(await inside('ln -s /elsewhere /flux/socket/link 2>/dev/null && echo made || echo refused')).toBe('refused');
    });
  });

  it('end a fork bomb', FAILS, async () => {
    instance = await provider.open(place.request());
    await expect(runInside(instance, 'for i in $(seq 300); do sleep 300 & done; wait')).rejects.toThrow();
    await eventually(async () => expect(instance?.exceeded()).toMatchObject({ limit: 'processes' }));
    expect(instance.gone.aborted).toBe(true);
  });

  it('end what takes more memory than it may', FAILS, async () => {
    instance = await provider.open(place.request({ limits: { memoryBytes: 400 * 2 ** 20 } }));
    await expect(runInside(instance, 'head -c 3G /dev/zero | tail')).rejects.toThrow();
    await eventually(async () => expect(instance?.exceeded()).toMatchObject({ limit: 'memory' }));
  });

  it('end what fills its data folder in memory, by a file or by a table', FAILS, async () => {
    const request = place.request({ limits: { diskBytes: 200 * 2 ** 20 } });
    instance = await provider.open(request);
    await expect(runInside(instance, 'head -c 1G /dev/zero > /flux/data/large; sleep 300')).rejects.toThrow();
    expect(instance.exceeded()).toMatchObject({ limit: 'disk' });
    await instance[Symbol.asyncDispose]();

    instance = await provider.open(request);
    await expect(
      ask(instance.superuser, `create table large as select repeat('x', 500) from generate_series(1, 1000000)`),
    ).rejects.toThrow();
    expect(instance.exceeded()).toMatchObject({ limit: 'disk' });
  });

  it('end what fills its data folder on disk', FAILS, async () => {
    instance = await provider.open(place.request({ limits: { diskBytes: 200 * 2 ** 20, memoryBytes: 128 * 2 ** 20 } }));
    await expect(runInside(instance, 'head -c 400M /dev/zero > /flux/data/large; sleep 300')).rejects.toThrow();
    expect(instance.exceeded()).toMatchObject({ limit: 'disk' });
  });

  it('end what writes into the log without end', FAILS, async () => {
    instance = await provider.open(place.request());
    await expect(runInside(instance, 'head -c 100M /dev/zero >&2; sleep 300')).rejects.toThrow();
    expect(instance.exceeded()).toMatchObject({ limit: 'disk', message: expect.stringContaining('log') });
  });

  it('come down even when folders were nested deeper than a path can be long', FAILS, async () => {
    instance = await provider.open(place.request({ limits: { memoryBytes: 160 * 2 ** 20 } }));
    const nest = `perl -e 'chdir "/flux/data"; for (1..100) { mkdir "x" x 200; chdir "x" x 200 or last; $n++ } print "$n\\n"'`;
    expect(await runInside(instance, nest)).toBe('100');
  });

  it('are really around it', async () => {
    instance = await provider.open(place.request());
    expect(instance.sandbox).toBe(kind);
    expect(await readFile('/proc/self/mountinfo', 'utf8')).not.toContain(place.dataFolder);
  });
}
