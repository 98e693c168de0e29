import { randomUUID } from 'node:crypto';
import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { putConfirmed } from '../../src/blobs/put-confirmed.ts';
import type { BlobStore } from '../../src/blobs/store.ts';
import { once, readAll } from '../conformance/blob-store.ts';
import { createMemoryStore } from './memory-store.ts';

const KEY = 'project/backup.dump';
const { signal } = new AbortController();
const openStore = () => createMemoryStore({ blobs: new Map(), drafts: new Map() }, () => randomUUID());

it('shows the blob only after the producer has said that its bytes are good', async () => {
  const store = openStore();
  const { stored, produced } = await putConfirmed(
    store,
    KEY,
    async (take) => {
      await take(once(Buffer.from('all bytes')));
      await sleep(20);
      expect(await store.stat(KEY, signal)).toBeUndefined();
      return 'good';
    },
    { signal },
  );
  expect({ size: stored.sizeBytes, produced }).toEqual({ size: 9, produced: 'good' });
  expect((await readAll(await store.get(KEY, { signal }))).toString()).toBe('all bytes');
});

it.each(['before its first byte', 'after its last byte'])('shows nothing when the producer fails %s', async (when) => {
  const store = openStore();
  const produce = async (take: (bytes: AsyncIterable<Buffer>) => Promise<void>) => {
    if (when === 'after its last byte') await take(once(Buffer.from('all bytes')));
    throw new Error('exit status 1');
  };
  await expect(putConfirmed(store, KEY, produce, { signal })).rejects.toThrow('exit status 1');
  expect(await store.stat(KEY, signal)).toBeUndefined();
});

it('fails rather than waits when the producer succeeds without any bytes', async () => {
  await expect(putConfirmed(openStore(), KEY, async () => 'done', { signal })).rejects.toThrow('without producing any bytes');
});

it('tells the producer when the store fails, and closes its stream', async () => {
  const bytes = new PassThrough();
  bytes.write('x');
  const full: BlobStore = {
    ...openStore(),
    put: async (_key, source) => {
      const taking = source[Symbol.asyncIterator]();
      await taking.next();
      await taking.return?.();
      throw new Error('no space');
    },
  };
  await expect(putConfirmed(full, KEY, (take) => take(bytes), { signal })).rejects.toThrow('no space');
  expect(bytes.destroyed).toBe(true);
});

it('ends the producer and the put when it is aborted', async () => {
  const store = openStore();
  const aborter = new AbortController();
  const putting = putConfirmed(store, KEY, (take) => take(new PassThrough()), { signal: aborter.signal });
  aborter.abort(new Error('enough'));
  await expect(putting).rejects.toThrow('enough');
  expect(await store.stat(KEY, signal)).toBeUndefined();
});
