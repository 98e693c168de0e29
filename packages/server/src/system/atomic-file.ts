import { open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** Prefix of files that are being written; a crash may leave them, and the sweep at start removes them. */
export const TEMPORARY_PREFIX = '.flux-tmp-';

/** Path of a hidden temporary file next to a file: in the same folder, so that the rename stays within one file system. */
export function temporaryNameFor(finalPath: string, unique: string): string {
  return join(dirname(finalPath), `${TEMPORARY_PREFIX}${unique}-${basename(finalPath)}`);
}

/** Makes the names in a folder durable. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/**
 * Writes a small file so that after a crash it has either the old or the new content, complete.
 *
 * @param mode permission bits, by default 0600
 */
export async function writeFileAtomically(path: string, content: string | Uint8Array, mode = 0o600): Promise<void> {
  const temporary = temporaryNameFor(path, `${process.pid}-${Math.random().toString(36).slice(2)}`);
  try {
    const file = await open(temporary, 'wx', mode);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    await syncFolder(dirname(path));
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
