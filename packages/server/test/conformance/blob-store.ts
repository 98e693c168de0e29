import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BlobPieces, BlobStore } from '../../src/blobs/store.ts';

/** One place where stores can be opened, as several servers open one volume. */
export interface BlobPlace {
  /** A store on this place that writes as this worker. */
  open(workerId: string): BlobStore;
  /** Everything that unfinished puts have left, under whatever name. */
  drafts(): Promise<readonly string[]>;
  /** Takes the whole place away, as an unmount does; undefined where there is no such thing. */
  readonly unmount?: (() => Promise<void>) | undefined;
  release(): Promise<void>;
}

/** What every BlobStore promises. */
export function describeBlobStore(name: string, preparePlace: () => Promise<BlobPlace>): void {
  describe(`${name} keeps the promises of BlobStore`, () => {
    const { signal } = new AbortController();
    const worker = randomUUID();
    let place: BlobPlace;
    let store: BlobStore;
    const newKey = () => `${randomUUID()}/${randomUUID()}.dump`;
    const put = (key: string, content: Buffer) => store.put(key, once(content), { signal });
    const get = async (key: string, range?: { start: number; end: number }) => readAll(await store.get(key, { signal, range }));
    const keysBelow = async (prefix: string) => {
      const keys: string[] = [];
      for await (const { key } of store.list(prefix, signal)) keys.push(key);
      return keys.sort();
    };
    const expectNothing = async (key: string) => {
      expect(await store.stat(key, signal)).toBeUndefined();
      await expect(store.get(key, { signal })).rejects.toMatchObject({ code: 'artifact_gone' });
      expect(await keysBelow(`${key.split('/')[0]}/`)).toEqual([]);
      expect(await place.drafts()).toEqual([]);
    };

    beforeAll(async () => {
      place = await preparePlace();
      store = place.open(worker);
      // A volume exists from the first put on.
      await put('first/blob', Buffer.from('x'));
    });
    afterAll(() => place?.release());

    it.each([0, 1, 1000, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 5_000_000])('gives back %i bytes as they were put', async (length) => {
      const key = newKey();
      const content = randomBytes(length);
      let reported = 0;
      const stored = await store.put(key, inChunks(content, 4096), {
        signal,
        onBytes: (total) => {
          expect(total).toBeGreaterThanOrEqual(reported);
          reported = total;
        },
      });
      expect(stored).toEqual({ sizeBytes: length, sha256: sha256(content) });
      expect(reported).toBe(length);
      expect(await store.stat(key, signal)).toEqual({ sizeBytes: length });
      expect((await get(key)).equals(content)).toBe(true);
      expect(await place.drafts()).toEqual([]);
    });

    it('does not rely on a buffer of the source after the next one was asked for', async () => {
      const key = newKey();
      async function* reusing(): AsyncGenerator<Buffer> {
        const buffer = Buffer.alloc(3);
        for (const text of ['abc', 'def']) {
          buffer.write(text);
          yield buffer;
        }
        buffer.fill(0);
      }
      await store.put(key, reusing(), { signal });
      expect((await get(key)).toString()).toBe('abcdef');
    });

    it.each([
      [0, 0, '0'],
      [0, 9, '0123456789'],
      [9, 9, '9'],
      [3, 5, '345'],
      [5, 10, '56789'],
      [0, 1e12, '0123456789'],
    ])('gives the bytes from %i to %i', async (start, end, expected) => {
      const key = newKey();
      await put(key, Buffer.from('0123456789'));
      expect((await get(key, { start, end })).toString()).toBe(expected);
    });

    it('gives ranges across its own piece borders', async () => {
      const key = newKey();
      const content = randomBytes(3_000_000);
      await put(key, content);
      for (const [start, end] of [
        [(1 << 20) - 1, 1 << 20],
        [999, 1000],
        [1 << 20, (2 << 20) - 1],
        [2_999_999, 2_999_999],
      ] as const)
        expect((await get(key, { start, end })).equals(content.subarray(start, end + 1))).toBe(true);
    });

    it.each([
      [10, 10],
      [11, 20],
      [5, 4],
      [-1, 3],
    ])('refuses the range from %i to %i of ten bytes', async (start, end) => {
      const key = newKey();
      await put(key, Buffer.from('0123456789'));
      await expect(get(key, { start, end })).rejects.toMatchObject({ code: 'range_not_satisfiable' });
    });

    it('reports a missing blob as gone, and deletes it without an error', async () => {
      const key = newKey();
      await expectNothing(key);
      await store.delete(key, signal);
      await put(key, Buffer.from('x'));
      await store.delete(key, signal);
      await store.delete(key, signal);
      await expectNothing(key);
      // A folder of blobs is not a blob.
      await put('folder/of/blobs', Buffer.from('x'));
      expect(await store.stat('folder/of', signal)).toBeUndefined();
      await expect(store.get('folder', { signal })).rejects.toMatchObject({ code: 'artifact_gone' });
    });

    it('shows nothing of a put before its source has ended', async () => {
      const key = newKey();
      const source = new PassThrough();
      const putting = store.put(key, source, { signal });
      source.write(Buffer.alloc(3_000_000));
      await sleep(50);
      expect(await store.stat(key, signal)).toBeUndefined();
      expect(await keysBelow(`${key.split('/')[0]}/`)).toEqual([]);
      await expect(store.get(key, { signal })).rejects.toMatchObject({ code: 'artifact_gone' });
      source.end();
      await putting;
      expect(await store.stat(key, signal)).toEqual({ sizeBytes: 3_000_000 });
    });

    it('goes on showing the previous blob until the new one is whole, and keeps it when the put fails', async () => {
      const key = newKey();
      await put(key, Buffer.from('old'));
      const source = new PassThrough();
      const putting = store.put(key, source, { signal });
      source.write('ne');
      await sleep(20);
      expect((await get(key)).toString()).toBe('old');
      source.destroy(new Error('the source broke'));
      await expect(putting).rejects.toThrow('the source broke');
      expect((await get(key)).toString()).toBe('old');
      await put(key, Buffer.from('newer'));
      expect((await get(key)).toString()).toBe('newer');
    });

    it.each([0, 100, 3_000_000])('leaves nothing of a put whose source fails after %i bytes', async (length) => {
      const key = newKey();
      const failure = new Error('the source broke');
      async function* broken(): AsyncGenerator<Buffer> {
        if (length > 0) yield Buffer.alloc(length);
        throw failure;
      }
      await expect(store.put(key, broken(), { signal })).rejects.toBe(failure);
      await expectNothing(key);
    });

    it('ends a put at once when it is aborted while its source says nothing, and closes the source', async () => {
      const key = newKey();
      const aborter = new AbortController();
      const source = new PassThrough();
      const putting = store.put(key, source, { signal: aborter.signal });
      putting.catch(() => undefined);
      source.write(Buffer.alloc(2_000_000));
      await sleep(20);
      const reason = new Error('enough');
      aborter.abort(reason);
      await expect(Promise.race([putting, sleep(2000)])).rejects.toBe(reason);
      await expectNothing(key);
      expect(source.destroyed).toBe(true);
    });

    it('publishes nothing when the abort comes with the last byte', async () => {
      const key = newKey();
      const aborter = new AbortController();
      async function* last(): AsyncGenerator<Buffer> {
        yield Buffer.from('all of it');
        aborter.abort(new Error('enough'));
      }
      await expect(store.put(key, last(), { signal: aborter.signal })).rejects.toThrow('enough');
      await expectNothing(key);
    });

    it('takes two puts of one key at once, and one of them is there, whole', async () => {
      const key = newKey();
      const contents = [randomBytes(1_500_000), randomBytes(1_700_000), randomBytes(900_000)];
      const stored = await Promise.all(contents.map((content) => store.put(key, inChunks(content, 65_536), { signal })));
      expect(stored.map((blob) => blob.sha256)).toEqual(contents.map(sha256));
      expect(contents.map(sha256)).toContain(sha256(await get(key)));
      expect(await place.drafts()).toEqual([]);
    });

    it.each(['deleted', 'replaced'])('a reader ends with the blob that it began with, or with an error, when it is %s', async (how) => {
      const key = newKey();
      const content = randomBytes(5_000_000);
      await put(key, content);
      const pieces = await store.get(key, { signal });
      const first = Buffer.from((await pieces.next()).value as Buffer);
      if (how === 'deleted') await store.delete(key, signal);
      else await put(key, randomBytes(5_000_000));
      const rest = await readAll(pieces).catch((error: unknown) => error);
      if (!(rest instanceof Error)) expect(Buffer.concat([first, rest as Buffer]).equals(content)).toBe(true);
    });

    it('lists what begins with a prefix, with sizes', async () => {
      const project = randomUUID();
      const keys = ['a.dump', 'a.manifest.json', 'b.dump'].map((last) => `${project}/${last}`);
      for (const key of keys) await put(key, Buffer.from(key));
      expect(await keysBelow(`${project}/`)).toEqual(keys);
      expect(await keysBelow(`${project}/a`)).toEqual(keys.slice(0, 2));
      expect(await keysBelow(project.slice(0, 20))).toEqual(keys);
      expect(await keysBelow(`${project}/b.dumpling`)).toEqual([]);
      expect(await keysBelow('')).toEqual(expect.arrayContaining(keys));
      for await (const entry of store.list(`${project}/`, signal)) expect(entry.sizeBytes).toBe(entry.key.length);
    });

    const ODD = [
      '',
      '.',
      '..',
      '../x',
      'a/../b',
      '/etc/passwd',
      'a//b',
      'a/',
      '/a',
      '.hidden',
      'a/.flux-tmp-x',
      'a\\b',
      'a\0b',
      'a b',
      'ä',
      'a\n',
    ];
    const LONG = ['a'.repeat(129), 'a/b/c/d/e'];
    it.each([...ODD, ...LONG])('refuses the key %j everywhere', async (key) => {
      const refusal = { code: 'internal', message: expect.stringContaining('is not a valid key of a blob') };
      await expect(store.put(key, once(Buffer.from('x')), { signal })).rejects.toMatchObject(refusal);
      await expect(store.get(key, { signal })).rejects.toMatchObject(refusal);
      await expect(store.stat(key, signal)).rejects.toMatchObject(refusal);
      await expect(store.delete(key, signal)).rejects.toMatchObject(refusal);
    });

    it.each(['../', '/', '.', 'a//', 'a b', 'a/../'])('refuses to list below %j', async (prefix) => {
      await expect(async () => keysBelow(prefix)).rejects.toMatchObject({ code: 'internal' });
    });

    it('rejects every call whose signal has aborted', async () => {
      const key = newKey();
      await put(key, Buffer.alloc(3_000_000));
      const aborter = new AbortController();
      const pieces = await store.get(key, { signal: aborter.signal });
      await pieces.next();
      const reason = new Error('enough');
      aborter.abort(reason);
      await expect(pieces.next()).rejects.toBe(reason);
      await expect(store.put(key, once(Buffer.from('x')), { signal: aborter.signal })).rejects.toBe(reason);
      await expect(store.get(key, { signal: aborter.signal })).rejects.toBe(reason);
      await expect(store.stat(key, aborter.signal)).rejects.toBe(reason);
      await expect(store.delete(key, aborter.signal)).rejects.toBe(reason);
      await expect(store.list('', aborter.signal)[Symbol.asyncIterator]().next()).rejects.toBe(reason);
      expect(await store.stat(key, signal)).toEqual({ sizeBytes: 3_000_000 });
    });

    it('can be read by another store on the same place', async () => {
      const key = newKey();
      await put(key, Buffer.from('shared'));
      expect((await readAll(await place.open(randomUUID()).get(key, { signal }))).toString()).toBe('shared');
    });

    it('leaves the draft of a living worker of another server alone, and removes that of a dead one', async () => {
      const [living, dead] = [randomUUID(), randomUUID()];
      const [kept, lost] = [newKey(), newKey()];
      const sources = [new PassThrough(), new PassThrough()] as const;
      const putting = place.open(living).put(kept, sources[0], { signal });
      const doomed = place.open(dead).put(lost, sources[1], { signal });
      doomed.catch(() => undefined);
      for (const source of sources) source.write(Buffer.alloc(2_000_000));
      await sleep(50);
      expect(await place.drafts()).toHaveLength(2);

      const asked: string[] = [];
      await store.sweepDrafts(async (id) => {
        asked.push(id);
        return id === living;
      }, signal);

      expect(asked.sort()).toEqual([living, dead].sort());
      expect(await place.drafts()).toHaveLength(1);
      for (const source of sources) source.end();
      expect((await putting).sizeBytes).toBe(2_000_000);
      await expect(doomed).rejects.toThrow();
      await expectNothing(lost);
      expect(await store.stat(kept, signal)).toEqual({ sizeBytes: 2_000_000 });
    });

    it('does not take an absent volume for deleted blobs', async ({ skip }) => {
      const key = newKey();
      await put(key, Buffer.from('x'));
      if (place.unmount === undefined) return skip('this store cannot be absent');
      await place.unmount();
      await expect(store.stat(key, signal)).rejects.toMatchObject({ code: 'volume_unusable' });
      await expect(store.get(key, { signal })).rejects.toMatchObject({ code: 'volume_unusable' });
      await expect(keysBelow('')).rejects.toMatchObject({ code: 'volume_unusable' });
    });
  });
}

/** Reads to the end; pieces are copied, since they are valid for a short time only. */
export async function readAll(pieces: BlobPieces): Promise<Buffer> {
  const copies: Buffer[] = [];
  for await (const piece of pieces) copies.push(Buffer.from(piece));
  return Buffer.concat(copies);
}

/** A source of one chunk. */
export async function* once(content: Buffer): AsyncGenerator<Buffer> {
  if (content.length > 0) yield content;
}

/** A source of chunks of this size, as pg_dump gives them. */
export async function* inChunks(content: Buffer, chunkBytes: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < content.length; at += chunkBytes) yield content.subarray(at, at + chunkBytes);
}

export function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}
