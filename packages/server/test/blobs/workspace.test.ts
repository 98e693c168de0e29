import { execFileSync } from 'node:child_process';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import {
  existsSync,
  linkSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { BlobStore } from '../../src/blobs/store.ts';
import { createVolumeStore } from '../../src/blobs/volume.ts';
import { createWorkspace } from '../../src/blobs/workspace.ts';
import { once, readAll } from '../conformance/blob-store.ts';
import { createMemoryStore } from './memory-store.ts';

const { signal } = new AbortController();
const KEY = 'project/backup.dump';
const digestOf = (bytes: Buffer | string) => createHash('sha256').update(bytes).digest('hex');

describe.each(['volume', 'memory'] as const)('a workspace lends a file of a blob of a %s store', (kind) => {
  it.each(['deleted', 'replaced'])('which stays what it was when the blob is %s, and leaves nothing behind', async (how) => {
    await using place = openPlace(kind);
    const content = randomBytes(2_500_000);
    await place.put(content);
    {
      await using lent = await place.workspace.lend(place.store, KEY, signal);
      expect(lent.sizeBytes).toBe(content.length);
      if (how === 'deleted') await place.store.delete(KEY, signal);
      else await place.put(Buffer.from('another'));
      expect((await readAll(lent.read(signal))).equals(content)).toBe(true);
      expect(readFileSync(lent.path).equals(content)).toBe(true);
      // A second reading sees the same file again.
      expect((await readAll(lent.read(signal))).equals(content)).toBe(true);
      expect(await lent.wasModified(digestOf(content), signal)).toBe(false);
      expect(statSync(lent.path).mode & 0o777).toBe(0o600);
    }
    expect(place.files()).toEqual([]);
  });

  it('or says that it is gone, and leaves nothing behind', async () => {
    await using place = openPlace(kind);
    await place.put(Buffer.from('x'));
    await place.store.delete(KEY, signal);
    await expect(place.workspace.lend(place.store, KEY, signal)).rejects.toMatchObject({ code: 'artifact_gone' });
    expect(place.files()).toEqual([]);
  });
});

describe('a workspace', () => {
  it('lends the very file of a volume, without copying it', async () => {
    await using place = openPlace('volume');
    await place.put(Buffer.from('x'));
    await using lent = await place.workspace.lend(place.store, KEY, signal);
    expect(statSync(lent.path).ino).toBe(statSync(join(place.root, KEY)).ino);
  });

  it('goes on with the file that it lent when another one takes its path', async () => {
    await using place = openPlace('volume');
    await place.put(Buffer.from('good bytes'));
    await using lent = await place.workspace.lend(place.store, KEY, signal);
    const path = join(place.root, KEY);
    writeFileSync(`${path}.evil`, 'evil bytes');
    renameSync(`${path}.evil`, path);
    expect(readFileSync(lent.path, 'utf8')).toBe('good bytes');
    expect((await readAll(lent.read(signal))).toString()).toBe('good bytes');
  });

  it('tells when somebody writes into the file itself', async () => {
    await using place = openPlace('volume');
    await place.put(Buffer.from('good bytes'));
    await using lent = await place.workspace.lend(place.store, KEY, signal);
    writeSync(openSync(join(place.root, KEY), 'r+'), 'evil');
    expect(await lent.wasModified(digestOf('good bytes'), signal)).toBe(true);
  });

  it('tells when somebody writes into the file itself and sets its time back', async () => {
    await using place = openPlace('volume');
    await place.put(Buffer.from('good bytes'));
    const path = join(place.root, KEY);
    // A whole second: setting the time back gives exactly the same.
    utimesSync(path, 1000, 1000);
    await using lent = await place.workspace.lend(place.store, KEY, signal);
    linkSync(path, `${path}.another`);
    expect(await lent.wasModified(digestOf('good bytes'), signal)).toBe(false);
    writeSync(openSync(path, 'r+'), 'evil');
    utimesSync(path, 1000, 1000);
    expect(await lent.wasModified(digestOf('good bytes'), signal)).toBe(true);
  });

  it('copies what a symbolic link leads to, so that turning the link changes nothing', async () => {
    await using place = openPlace('volume');
    await place.put(Buffer.from('x'));
    const path = join(place.root, KEY);
    for (const name of ['good', 'evil']) writeFileSync(join(place.root, name), name);
    rmSync(path);
    symlinkSync(join(place.root, 'good'), path);
    await using lent = await place.workspace.lend(place.store, KEY, signal);
    rmSync(path);
    symlinkSync(join(place.root, 'evil'), path);
    expect(readFileSync(lent.path, 'utf8')).toBe('good');
  });

  it('takes bytes into a file of its own, and ends at once when it is aborted', async () => {
    await using place = openPlace('volume');
    {
      await using scratch = await place.workspace.create(signal);
      expect(await scratch.write(once(Buffer.from('abc')), signal)).toMatchObject({ sizeBytes: 3 });
      expect(readFileSync(scratch.path, 'utf8')).toBe('abc');
      await using stuck = await place.workspace.create(signal);
      await expect(stuck.write(new PassThrough(), AbortSignal.timeout(20))).rejects.toMatchObject({ name: 'TimeoutError' });
    }
    expect(place.files()).toEqual([]);
  });

  it('lends the file itself of a volume that is read-only, and tells when another one took its path', async ({ skip }) => {
    await using place = openPlace('volume');
    await place.put(Buffer.from('good'));
    try {
      execFileSync('mount', ['--bind', place.root, place.root], { stdio: 'ignore' });
      execFileSync('mount', ['-o', 'remount,ro,bind', place.root], { stdio: 'ignore' });
    } catch {
      return skip('a volume can only be mounted by root');
    }
    let isMounted = true;
    const unmount = () => {
      if (isMounted) execFileSync('umount', ['-l', place.root]);
      isMounted = false;
    };
    try {
      await using lent = await place.workspace.lend(place.store, KEY, signal);
      expect((await readAll(lent.read(signal))).toString()).toBe('good');
      expect(await lent.wasModified(digestOf('good'), signal)).toBe(false);
      unmount();
      writeFileSync(join(place.root, 'evil'), 'evil');
      renameSync(join(place.root, 'evil'), join(place.root, KEY));
      expect(await lent.wasModified(digestOf('good'), signal)).toBe(true);
      expect((await readAll(lent.read(signal))).toString()).toBe('good');
    } finally {
      unmount();
    }
    expect(existsSync(join(place.root, KEY))).toBe(true);
  });

  it('does not create a volume that is absent', async () => {
    await using place = openPlace('volume');
    rmSync(place.root, { recursive: true });
    await expect(place.workspace.lend(place.store, KEY, signal)).rejects.toMatchObject({ code: 'volume_unusable' });
    expect(existsSync(place.root)).toBe(false);
  });

  it('sweeps the files of dead workers only', async () => {
    await using place = openPlace('volume');
    await place.put(Buffer.from('x'));
    await using lent = await place.workspace.lend(place.store, KEY, signal);
    await place.workspace.sweep(async (id) => id === place.workerId);
    expect(existsSync(lent.path)).toBe(true);
    await place.workspace.sweep(async () => false);
    expect(place.files()).toEqual([]);
    expect((await readAll(await place.store.get(KEY, { signal }))).toString()).toBe('x');
  });
});

function openPlace(kind: 'volume' | 'memory') {
  const root = mkdtempSync(join(tmpdir(), 'flux-workspace-'));
  const workerId = randomUUID();
  const folder = join(root, '.workspace');
  const store: BlobStore =
    kind === 'volume'
      ? createVolumeStore({ root, workerId: () => workerId })
      : createMemoryStore({ blobs: new Map(), drafts: new Map() }, () => workerId);
  return {
    root,
    store,
    workerId,
    workspace: createWorkspace({ folder, workerId: () => workerId }),
    put: (content: Buffer) => store.put(KEY, once(content), { signal }),
    files: () => (existsSync(folder) ? readdirSync(folder) : []),
    [Symbol.asyncDispose]: async () => rmSync(root, { recursive: true, force: true }),
  };
}
