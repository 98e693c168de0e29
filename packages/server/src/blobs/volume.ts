import { type FileHandle, link, lstat, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { syncFolder } from '../system/atomic-file.ts';
import { abortable } from './abortable.ts';
import { askOnce, draftPathFor, removeDeadDrafts, throwIfAny } from './drafts.ts';
import { readPieces } from './read-pieces.ts';
import {
  type BlobEntry,
  type BlobStore,
  blobGone,
  type PutOptions,
  requireBlobKey,
  requireBlobPrefix,
  resolveRange,
  type StoredBlob,
} from './store.ts';
import { isMissing, toVolumeError } from './volume-error.ts';
import type { LinkableStore } from './workspace.ts';
import { writeGathered } from './write-gathered.ts';

export interface VolumeOptions {
  /** Created, mode 0700, by the first put. */
  readonly root: string;
  /** Id of the writing worker, read at each put: a lost lease is renewed under a new id. */
  workerId(): string;
}

/** Blobs as files in one folder of this machine: the key is the path below it. */
export function createVolumeStore(options: VolumeOptions): BlobStore & LinkableStore {
  const root = resolve(options.root);
  const pathOf = (key: string, signal: AbortSignal) => {
    requireBlobKey(key);
    signal.throwIfAborted();
    return join(root, key);
  };
  return {
    name: 'local',
    statCost: 'cheap',
    put: async (key, source, put) => writeBlob(root, pathOf(key, put.signal), options.workerId(), source, put),
    get: async (key, { range, signal }) => {
      const { file, sizeBytes } = await openBlob(root, key, pathOf(key, signal));
      try {
        return readPieces({ file, ...resolveRange(range, sizeBytes), signal, release: () => file.close() });
      } catch (error) {
        await file.close();
        throw error;
      }
    },
    stat: async (key, signal) => {
      try {
        const found = await stat(pathOf(key, signal));
        return found.isFile() ? { sizeBytes: found.size } : undefined;
      } catch (error) {
        if (!isMissing(error)) throw toVolumeError(error);
        await requireRoot(root);
        return undefined;
      }
    },
    delete: async (key, signal) => {
      const path = pathOf(key, signal);
      try {
        await rm(path, { force: true });
        await syncFolder(dirname(path));
      } catch (error) {
        if (!isMissing(error)) throw toVolumeError(error);
      }
    },
    list: (prefix, signal) => {
      requireBlobPrefix(prefix);
      return listFolder(root, '', prefix, signal);
    },
    pathOf: (key) => pathOf(key, new AbortController().signal),
    linkTo: async (key, target, signal) => {
      const path = pathOf(key, signal);
      try {
        // A hard link to a symbolic link would still follow it, wherever it points later.
        if (!(await lstat(path)).isFile()) return 'impossible';
        await link(path, target);
        return 'linked';
      } catch (error) {
        if (!isMissing(error)) return 'impossible';
        await requireRoot(root);
        throw blobGone(key, error);
      }
    },
    sweepDrafts: async (isAlive, signal) => throwIfAny(await sweepFolder(root, askOnce(isAlive), signal)),
  };
}

/**
 * Writes a file so that its name appears only when its bytes are durable.
 *
 * The order matters: write, fsync of the file, rename, fsync of the folder. A rename before the fsync can leave the final name on a
 * file whose bytes a power cut lost; without the fsync of the folder the name itself can be lost.
 */
async function writeBlob(
  root: string,
  path: string,
  workerId: string,
  source: AsyncIterable<Buffer>,
  { signal, onBytes }: PutOptions,
): Promise<StoredBlob> {
  const draft = draftPathFor(path, workerId);
  let file: FileHandle | undefined;
  let published = false;
  const bytes = abortable(source, signal);
  try {
    const created = await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    file = await open(draft, 'wx', 0o600);
    const stored = await writeGathered(bytes, file, onBytes);
    await file.sync();
    await file.close();
    signal.throwIfAborted();
    await rename(draft, path);
    published = true;
    // The folders may be new as well, perhaps created by a concurrent put: each of their names must be durable too.
    const top = created === undefined || created.startsWith(`${root}/`) ? root : dirname(created);
    for (let folder = dirname(path); ; folder = dirname(folder)) {
      await syncFolder(folder);
      if (folder === top) return stored;
    }
  } catch (error) {
    await file?.close().catch(() => undefined);
    // A hidden draft that cannot be removed now is removed by the next sweep.
    await rm(published ? path : draft, { force: true }).catch(() => undefined);
    await bytes.return?.().catch(() => undefined);
    throw signal.aborted ? signal.reason : toVolumeError(error);
  }
}

async function openBlob(root: string, key: string, path: string): Promise<{ readonly file: FileHandle; readonly sizeBytes: number }> {
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch (error) {
    if (!isMissing(error)) throw toVolumeError(error);
    await requireRoot(root);
    throw blobGone(key, error);
  }
  try {
    const found = await file.stat();
    if (!found.isFile()) throw blobGone(key);
    return { file, sizeBytes: found.size };
  } catch (error) {
    await file.close();
    throw toVolumeError(error);
  }
}

async function* listFolder(root: string, folder: string, prefix: string, signal: AbortSignal): AsyncGenerator<BlobEntry, undefined> {
  signal.throwIfAborted();
  const entries = await readdir(join(root, folder), { withFileTypes: true }).catch((error) => {
    // A folder that was removed since it was listed is empty; without the root nothing is known.
    if (isMissing(error) && folder !== '') return [];
    throw toVolumeError(error);
  });
  for (const entry of entries) {
    if (entry.name.startsWith('.')) continue;
    const key = `${folder}${entry.name}`;
    if (entry.isDirectory()) {
      const below = `${key}/`;
      if (below.startsWith(prefix) || prefix.startsWith(below)) yield* listFolder(root, below, prefix, signal);
    } else if (key.startsWith(prefix)) {
      signal.throwIfAborted();
      const found = await stat(join(root, key)).catch((error) => {
        if (isMissing(error)) return undefined;
        throw toVolumeError(error);
      });
      if (found?.isFile()) yield { key, sizeBytes: found.size };
    }
  }
}

async function sweepFolder(
  folder: string,
  isAlive: (workerId: string) => Promise<boolean>,
  signal: AbortSignal,
): Promise<readonly Error[]> {
  signal.throwIfAborted();
  const failures = [...(await removeDeadDrafts(folder, isAlive))];
  for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => []))
    if (entry.isDirectory() && !entry.name.startsWith('.'))
      failures.push(...(await sweepFolder(join(folder, entry.name), isAlive, signal)));
  return failures;
}

/** Without the root nothing is known about its files: an unmounted volume must not look like deleted files. */
async function requireRoot(root: string): Promise<void> {
  await stat(root).catch((error) => {
    throw toVolumeError(error);
  });
}
