import { createHash } from 'node:crypto';
import { type FileHandle, mkdir, open, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isFluxError } from '@flux/contract/errors';
import { abortable } from './abortable.ts';
import { askOnce, draftPathFor, type IsWorkerAlive, removeDeadDrafts, throwIfAny } from './drafts.ts';
import { readPieces } from './read-pieces.ts';
import type { BlobPieces, BlobStore, StoredBlob } from './store.ts';
import { toVolumeError } from './volume-error.ts';
import { writeGathered } from './write-gathered.ts';

/** A store on this machine, which can hard-link a file instead of copying it. */
export interface LinkableStore {
  /**
   * Creates a hard link to the file of a blob. `impossible` when the file system does not support it; the caller copies then.
   *
   * @throws FluxError `artifact_gone`, `volume_unusable` when the store is absent
   */
  linkTo(key: string, target: string, signal: AbortSignal): Promise<'linked' | 'impossible'>;
  /** The path of the file of a blob, whether or not it exists. */
  pathOf(key: string): string;
}

/**
 * A file on this machine with the bytes of a blob. It stays the same file while it is lent: replacing or deleting the blob in its
 * store does not change what `path` and `read` give. Disposing of it removes the link, not the blob.
 *
 * On a read-only volume the path is the blob's own; then `wasModified` also reports that another file replaced it.
 */
export interface LocalBlob extends AsyncDisposable {
  /** For tools that must seek, such as pg_restore. */
  readonly path: string;
  readonly sizeBytes: number;
  /** The bytes of this file, through the descriptor opened when it was lent. May be called more than once. */
  read(signal: AbortSignal): BlobPieces;
  /**
   * Whether the file was written to, or replaced under its path, since it was lent. A hard link does not protect from writes into the
   * file itself: a proof about bytes that were hashed before is valid only while this is false.
   *
   * Times of modification can be set back. The time of the last change cannot, but it also changes with each other link to the file; when
   * only that one differs, the file is read again.
   *
   * @param sha256 of the bytes that were read from it before
   */
  wasModified(sha256: string, signal: AbortSignal): Promise<boolean>;
}

/** A temporary file that never becomes a blob. Disposing of it removes it. */
export interface ScratchFile extends AsyncDisposable {
  readonly path: string;
  /** Takes the bytes, once. @throws FluxError `volume_full`, `volume_unusable` */
  write(source: AsyncIterable<Buffer>, signal: AbortSignal): Promise<StoredBlob>;
}

/** Local files for tools, on the file system of the volume, named after their worker, and removed when they are returned. */
export interface Workspace {
  /**
   * Lends a file with the bytes of a blob: a hard link where the store is on this machine, a private copy otherwise.
   *
   * @throws FluxError `artifact_gone`, `volume_full`, `volume_unusable`
   */
  lend(store: BlobStore, key: string, signal: AbortSignal): Promise<LocalBlob>;
  /** Starts an empty file. @throws FluxError `volume_full`, `volume_unusable` */
  create(signal: AbortSignal): Promise<ScratchFile>;
  /** Removes the files of killed workers; those of live workers stay. @throws AggregateError */
  sweep(isAlive: IsWorkerAlive): Promise<void>;
}

export interface WorkspaceOptions {
  /** Hidden below the volume, so that hard links are possible. Created, mode 0700, when it is first needed. */
  readonly folder: string;
  /** Id of the worker that the files belong to, read for each file. */
  workerId(): string;
}

/** Creates the workspace in a folder. */
export function createWorkspace({ folder, workerId }: WorkspaceOptions): Workspace {
  const newPath = async (signal: AbortSignal) => {
    signal.throwIfAborted();
    const path = draftPathFor(join(folder, 'file'), workerId());
    // Not recursive: an unmounted volume must not be created as an empty folder.
    await mkdir(folder, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw toVolumeError(error);
    });
    return path;
  };
  return {
    lend: async (store, key, signal) => {
      try {
        const path = await newPath(signal);
        try {
          const linked = isLinkable(store) ? await store.linkTo(key, path, signal) : 'impossible';
          if (linked === 'impossible') await copyBlob(store, key, path, signal);
          return await openLent(path, 'own link', () => rm(path, { force: true }));
        } catch (error) {
          await rm(path, { force: true });
          throw error;
        }
      } catch (error) {
        // A volume that is mounted read-only, to read old backups: the blob's own file is used.
        if (isLinkable(store) && isReadOnly(error)) return await openOwn(store, key, signal);
        throw error;
      }
    },
    create: async (signal) => createScratchFile(await newPath(signal)),
    sweep: async (isAlive) => throwIfAny(await removeDeadDrafts(folder, askOnce(isAlive))),
  };
}

function isLinkable(store: BlobStore): store is BlobStore & LinkableStore {
  return 'linkTo' in store;
}

async function copyBlob(store: BlobStore, key: string, path: string, signal: AbortSignal): Promise<void> {
  await using copy = await openNew(path);
  const pieces = await store.get(key, { signal });
  try {
    await writeGathered(pieces, copy);
  } catch (error) {
    throw signal.aborted || isFluxError(error) ? error : toVolumeError(error);
  } finally {
    await pieces.return();
  }
}

/** Lends the blob's own path; its replacement by another file counts as a modification. */
async function openOwn(store: BlobStore & LinkableStore, key: string, signal: AbortSignal): Promise<LocalBlob> {
  // For its errors: a missing blob, or a missing volume.
  await (await store.get(key, { signal })).return();
  return openLent(store.pathOf(key), "the blob's path", async () => undefined);
}

function isReadOnly(error: unknown): boolean {
  const { code } = ((error as Error).cause ?? error) as NodeJS.ErrnoException;
  return code === 'EROFS' || code === 'EACCES' || code === 'EPERM';
}

/** @param kind nobody else knows the path of a link of our own; under the blob's path, another file may have been for a while */
async function openLent(path: string, kind: 'own link' | "the blob's path", release: () => Promise<void>): Promise<LocalBlob> {
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch (error) {
    throw toVolumeError(error);
  }
  try {
    const lent = await file.stat({ bigint: true });
    const read = (signal: AbortSignal) => readPieces({ file, start: 0, end: Number(lent.size), signal, release: async () => undefined });
    return {
      path,
      sizeBytes: Number(lent.size),
      read,
      wasModified: async (sha256, signal) => {
        const now = await file.stat({ bigint: true });
        const atPath = await stat(path, { bigint: true }).catch(() => undefined);
        const isSameFile = atPath?.ino === lent.ino && atPath.dev === lent.dev;
        if (!isSameFile || now.size !== lent.size || now.mtimeNs !== lent.mtimeNs) return true;
        if (now.ctimeNs === lent.ctimeNs) return false;
        return kind === "the blob's path" || (await digestOf(read(signal))) !== sha256;
      },
      [Symbol.asyncDispose]: async () => {
        await file.close();
        await release();
      },
    };
  } catch (error) {
    await file.close();
    throw toVolumeError(error);
  }
}

async function digestOf(pieces: BlobPieces): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of pieces) hash.update(piece);
  return hash.digest('hex');
}

async function createScratchFile(path: string): Promise<ScratchFile> {
  const file = await openNew(path);
  return {
    path,
    write: async (source, signal) => {
      try {
        return await writeGathered(abortable(source, signal), file);
      } catch (error) {
        throw signal.aborted ? error : toVolumeError(error);
      }
    },
    [Symbol.asyncDispose]: async () => {
      await file.close();
      await rm(path, { force: true });
    },
  };
}

async function openNew(path: string): Promise<FileHandle> {
  return open(path, 'wx', 0o600).catch((error) => {
    throw toVolumeError(error);
  });
}
