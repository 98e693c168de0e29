import { type FileHandle, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { FluxError, isFluxError } from '@flux/contract/errors';
import { syncFolder, TEMPORARY_PREFIX, temporaryNameFor, writeFileAtomically } from '../system/atomic-file.ts';
import { readPieces } from './read-pieces.ts';
import type { ArtifactDraft, ArtifactKey, ArtifactStore } from './store.ts';
import { writeGathered } from './write-gathered.ts';

/**
 * Artifacts as files of one folder: `<projectId>/<backupId>.dump`, and `<backupId>.manifest.json` beside it.
 *
 * @param root made when it is missing, mode 0700
 */
export function createVolumeStore(root: string): ArtifactStore {
  const pathOf = (key: ArtifactKey) => join(root, key.projectId, `${key.backupId}.dump`);
  const manifestPathOf = (key: ArtifactKey) => join(root, key.projectId, `${key.backupId}.manifest.json`);
  const statFile = async (key: ArtifactKey) => {
    try {
      return { sizeBytes: (await stat(pathOf(key))).size };
    } catch (error) {
      if (!isMissing(error)) throw unusable(error);
      await requireRoot(root);
      return undefined;
    }
  };
  const requireFile = async (key: ArtifactKey) => {
    if ((await statFile(key)) === undefined) throw gone(key);
    return pathOf(key);
  };
  return {
    create: (key) => createDraft(root, pathOf(key), manifestPathOf(key), key.backupId),
    stat: statFile,
    read: async (key, range) => {
      try {
        const file = await open(await requireFile(key), 'r');
        const end = range === undefined ? await sizeOf(file) : range.end + 1;
        return readPieces(file, range?.start ?? 0, end, (error) => unusable(error));
      } catch (error) {
        throw isMissing(error) ? gone(key) : unusable(error);
      }
    },
    localPath: requireFile,
    readManifest: (key) =>
      readFile(manifestPathOf(key), 'utf8').catch((error) => (isMissing(error) ? undefined : Promise.reject(unusable(error)))),
    remove: async (key) => {
      // The artifact goes first: a manifest without artifact is clutter, an artifact without manifest looks like a backup.
      await rm(pathOf(key), { force: true });
      await rm(manifestPathOf(key), { force: true });
    },
    sweep: async () => {
      const failures: unknown[] = [];
      const giveUpOn = (path: string) => (error: unknown) => {
        failures.push(new Error(`${path}: ${(error as Error).message}`));
        return [];
      };
      for (const entry of await readdir(root, { withFileTypes: true }).catch(() => [])) {
        if (!entry.isDirectory()) continue;
        const folder = join(root, entry.name);
        for (const name of await readdir(folder).catch(giveUpOn(folder))) {
          const path = join(folder, name);
          if (name.startsWith(TEMPORARY_PREFIX)) await rm(path, { force: true }).catch(giveUpOn(path));
        }
      }
      if (failures.length > 0) throw new AggregateError(failures, `could not remove ${failures.length} temporary files of backups`);
    },
  };
}

/** Size of a file that was just opened; it is closed again when that cannot be told. */
async function sizeOf(file: FileHandle): Promise<number> {
  try {
    return (await file.stat()).size;
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function createDraft(root: string, finalPath: string, manifestPath: string, unique: string): Promise<ArtifactDraft> {
  const temporaryPath = temporaryNameFor(finalPath, unique);
  let file: FileHandle;
  try {
    await mkdir(dirname(finalPath), { recursive: true, mode: 0o700 });
    file = await open(temporaryPath, 'wx', 0o600);
  } catch (error) {
    throw unusable(error);
  }
  let written: { sizeBytes: number; sha256: string } | undefined;
  let isPublished = false;
  const discard = async () => {
    await file.close().catch(() => undefined);
    if (!isPublished) await rm(temporaryPath, { force: true });
  };
  return {
    path: temporaryPath,
    write: async (bytes, onBytes) => {
      try {
        written = await writeGathered(bytes, file, onBytes);
      } catch (error) {
        throw unusable(error);
      }
      return written;
    },
    publish: async (manifest) => {
      if (written === undefined) throw new Error('publish was called before write had ended');
      try {
        await file.sync();
        await file.close();
        // The manifest first, the artifact last: whoever sees the artifact also finds what it must contain.
        await writeFileAtomically(manifestPath, manifest);
        await rename(temporaryPath, finalPath);
        isPublished = true;
        await syncFolder(dirname(finalPath));
        // The folder of the project may be new: its own name must survive as well.
        await syncFolder(root);
      } catch (error) {
        throw unusable(error);
      }
      return { ...written, relativePath: relative(root, finalPath) };
    },
    [Symbol.asyncDispose]: discard,
  };
}

/** Without the root nothing is known about any file in it: a volume that is not mounted must not look like files that are gone. */
async function requireRoot(root: string): Promise<void> {
  await stat(root).catch((error) => {
    throw unusable(error);
  });
}

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}

function gone(key: ArtifactKey): FluxError {
  return new FluxError('artifact_gone', `The file of backup ${key.backupId} is not there any more.`, {
    hint: 'Create a new one with `flux backup create`; when the backup volume was unmounted, mount it again: the backup is good as soon as its file is back.',
  });
}

/** Tells what is wrong with the volume; errors that are ours or an abort pass through. */
function unusable(error: unknown): unknown {
  if (isFluxError(error)) return error;
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new FluxError('volume_full', 'There is no room left on the backup volume.', {
      hint: 'Free some space where FLUX_BACKUPS_LOCAL_DIR is or delete old backups, then run the command again.',
      cause: error,
    });
  }
  if (code === undefined || code === 'ABORT_ERR') return error;
  // The reason without the path: this text reaches people who may not know where things are on the server.
  const reason = (error as Error).message.replace(/, \w+(?: '.*)?$/s, '');
  return new FluxError('volume_unusable', `The backup volume cannot be used: ${reason}.`, {
    hint: 'Check that FLUX_BACKUPS_LOCAL_DIR is there and that the control plane may write to it.',
    cause: error,
  });
}
