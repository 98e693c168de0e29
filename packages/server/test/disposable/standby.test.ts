import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { needsSandbox } from '../../../../acceptance/harness/sandbox.ts';
import type { DisposableProvider } from '../../src/disposable/provider.ts';
import { ask, eventually } from '../conformance/instance-runtime.ts';
import { type DisposablePlace, prepareDisposablePlace, writeNoArchive } from './disposable-place.ts';

// Without a sandbox none is kept ready: its data would be on disk, where an unused server would take space from others.
describe('a disposable instance that is kept ready', await needsSandbox(), () => {
  let place: DisposablePlace;
  let provider: DisposableProvider;

  beforeAll(async () => {
    place = await prepareDisposablePlace();
    provider = await place.provider('auto');
    await writeNoArchive(place);
  });
  beforeEach(async () => {
    provider = await place.provider('auto');
    provider.keepReady?.(place.major, place.request().limits);
  });
  afterEach(async () => {
    await provider.close?.();
    expect(await place.traces()).toEqual([]);
  });
  afterAll(() => place.release());

  /** Ids of all that exist; waits until there are so many whose server answers. */
  const ids = async (count: number) => {
    const list = () => readdir(join(place.dataFolder, 'disposable')).catch(() => []);
    await eventually(async () => expect((await list()).length).toBe(count));
    // Listening is the last but one step of becoming ready.
    await sleep(500);
    return list();
  };

  it('is the one that is opened, and is never used twice', async () => {
    const [kept] = await ids(1);
    {
      await using instance = await provider.open(place.request());
      expect(instance.superuser.host).toContain(kept);
      expect(await ask(instance.superuser, 'select count(*)::int from pg_class where relnamespace = 2200')).toBe(0);
    }
    const [next] = await ids(1);
    expect(next).not.toBe(kept);
  });

  it('is left alone by a request with other bounds, or for more than fits into it', async () => {
    const [kept] = await ids(1);
    for (const change of [{ limits: { processes: 30 } }, { expectedBytes: 2 ** 29 }]) {
      await using instance = await provider.open(place.request(change));
      expect(instance.superuser.host).not.toContain(kept);
    }
  });

  it('begins to count its time when it is opened', async () => {
    await provider.close?.();
    provider = await place.provider('auto');
    const limits = { wallClockMs: 2500 };
    provider.keepReady?.(place.major, place.request({ limits }).limits);
    await ids(1);
    await sleep(2500);
    await using instance = await provider.open(place.request({ limits }));
    expect(instance.exceeded()).toBeUndefined();
    expect(await ask(instance.superuser, 'select 1')).toBe(1);
    await eventually(async () => expect(instance.exceeded()).toMatchObject({ limit: 'time' }));
  });

  it('is made with the locale that is asked for when that is another one', async () => {
    await ids(1);
    await using instance = await provider.open(place.request({ locale: { encoding: 'UTF8', collate: 'C', ctype: 'C' } }));
    expect(await ask(instance.superuser, 'select datcollate::text from pg_database where datname = current_database()')).toBe('C');
  });
});
