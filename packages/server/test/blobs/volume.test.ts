import { execFileSync } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createVolumeStore } from '../../src/blobs/volume.ts';
import { TEMPORARY_PREFIX } from '../../src/system/atomic-file.ts';
import { describeBlobStore, inChunks, once } from '../conformance/blob-store.ts';

const { signal } = new AbortController();

describeBlobStore('the volume', async () => {
  const root = mkdtempSync(join(tmpdir(), 'flux-volume-'));
  return {
    open: (workerId) => createVolumeStore({ root, workerId: () => workerId }),
    drafts: async () => listHidden(root),
    unmount: () => rename(root, `${root}-away`),
    release: async () => {
      for (const path of [root, `${root}-away`]) rmSync(path, { recursive: true, force: true });
    },
  };
});

describe('the volume', () => {
  it('creates files of 0600 in folders of 0700, and the root itself', async () => {
    await using place = openPlace();
    const root = join(place.folder, 'not', 'there', 'yet');
    await createVolumeStore({ root, workerId: () => randomUUID() }).put('a/b.dump', once(Buffer.from('x')), { signal });
    const modes = [root, join(root, 'a'), join(root, 'a', 'b.dump')].map((path) => statSync(path).mode & 0o777);
    expect(modes).toEqual([0o700, 0o700, 0o600]);
  });

  it('lists nothing that is hidden, and no draft', async () => {
    await using place = openPlace();
    await place.store.put('a/b.dump', once(Buffer.from('x')), { signal });
    for (const name of ['.hidden', `${TEMPORARY_PREFIX}x`]) writeFileSync(join(place.folder, 'a', name), 'x');
    mkdirSync(join(place.folder, '.workspace'));
    writeFileSync(join(place.folder, '.workspace', 'file'), 'x');
    const keys: string[] = [];
    for await (const { key } of place.store.list('', signal)) keys.push(key);
    expect(keys).toEqual(['a/b.dump']);
  });

  it('removes every draft that can be removed, also of versions that named no worker, and tells of the others', async () => {
    await using place = openPlace();
    const folders = ['a', 'b'].map((name) => join(place.folder, name));
    for (const folder of folders) mkdirSync(folder);
    // A folder cannot be removed as a file is.
    mkdirSync(join(place.folder, 'a', `${TEMPORARY_PREFIX}folder`));
    const names = [
      `${TEMPORARY_PREFIX}z`,
      `${TEMPORARY_PREFIX}${randomUUID()}-${randomUUID()}.dump`,
      `${TEMPORARY_PREFIX}12-x-y.manifest.json`,
    ];
    const drafts = folders.flatMap((folder) => names.map((name) => join(folder, name)));
    for (const draft of drafts) writeFileSync(draft, 'x');
    await expect(place.store.sweepDrafts(async () => false, signal)).rejects.toThrow('could not remove 1 temporary files of backups');
    expect(drafts.filter((draft) => existsSync(draft))).toEqual([]);
  });

  it('says what is wrong with the volume without naming a path', async () => {
    await using place = openPlace();
    writeFileSync(join(place.folder, 'a'), 'a file where a folder must be');
    const failure = await place.store.put('a/b.dump', once(Buffer.from('x')), { signal }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'volume_unusable' });
    expect((failure as Error).message).not.toContain(place.folder);
  });

  it('says that a volume is full, leaves nothing of the put, and works again when there is space', async ({ skip }) => {
    await using place = openPlace();
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', place.folder], { stdio: 'ignore' });
    } catch {
      return skip('a small file system can only be mounted by root');
    }
    try {
      const full = await place.store.put('a/b.dump', inChunks(randomBytes(4_000_000), 4096), { signal }).catch((error: unknown) => error);
      expect(full).toMatchObject({ code: 'volume_full' });
      expect(await place.store.stat('a/b.dump', signal)).toBeUndefined();
      expect(listHidden(place.folder)).toEqual([]);
      await place.store.put('a/b.dump', inChunks(randomBytes(1_000_000), 4096), { signal });
      expect(await place.store.stat('a/b.dump', signal)).toEqual({ sizeBytes: 1_000_000 });
    } finally {
      execFileSync('umount', [place.folder]);
    }
  });
});

function openPlace() {
  const folder = mkdtempSync(join(tmpdir(), 'flux-volume-'));
  return {
    folder,
    store: createVolumeStore({ root: folder, workerId: () => randomUUID() }),
    [Symbol.asyncDispose]: async () => rmSync(folder, { recursive: true, force: true }),
  };
}

function listHidden(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => /(^|\/)\./.test(name));
}
