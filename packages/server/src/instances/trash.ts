import { rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { syncFolder } from '../system/atomic-file.ts';
import { makeOpenFolder, namesIn } from './folders.ts';

/** Where instances lie that were removed by the word of the catalog alone. */
function trashOf(dataFolder: string): string {
  return join(dataFolder, 'trash');
}

/** `2026-11-26T20-31-38.000Z-p-0123456789ab` */
const NAME = /^(\d{4}-\d{2}-\d{2})T(\d{2}-\d{2}-\d{2}\.\d{3}Z)-[a-z0-9-]{1,40}$/;

/**
 * Moves a folder of the data folder to the trash, under a name that begins with the time. Does nothing when it does not exist.
 *
 * @param at from when on it is kept: the latest time that was seen. By a clock that is behind it would be deleted once that is right again.
 */
export async function moveToTrash(dataFolder: string, path: string, name: string, at: Date): Promise<void> {
  const trash = trashOf(dataFolder);
  await makeOpenFolder(trash);
  const taken = new Set(await namesIn(trash));
  const nameAt = (time: number) => `${new Date(time).toISOString().replaceAll(':', '-')}-${name}`;
  let time = at.getTime();
  // The latest time stands still while the clock is behind it.
  while (taken.has(nameAt(time))) time++;
  const target = join(trash, nameAt(time));
  try {
    await rename(path, target);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  await syncFolder(trash);
  await syncFolder(dirname(path));
}

/** What to delete from the trash, and when it is. */
export interface TrashExpiry {
  readonly olderThanMs: number;
  readonly now: Date;
  /** Called with each folder before it is deleted. */
  readonly forget?: ((folder: string) => Promise<void>) | undefined;
  /** Told of each that could not be deleted; the others are. */
  readonly onProblem: (name: string, error: unknown) => void;
}

/**
 * Deletes what has lain in the trash for longer than a time, by the time in its name.
 *
 * @param instances the folder of the instances; the trash is beside it
 * @returns the names of what was deleted
 */
export async function emptyTrash(instances: string, { olderThanMs, now, forget, onProblem }: TrashExpiry): Promise<readonly string[]> {
  const trash = trashOf(dirname(instances));
  const deleted: string[] = [];
  for (const name of await namesIn(trash)) {
    const [, day, time] = NAME.exec(name) ?? [];
    if (day === undefined || time === undefined) continue;
    if (now.getTime() - Date.parse(`${day}T${time.replaceAll('-', ':')}`) < olderThanMs) continue;
    try {
      await forget?.(join(trash, name));
      await rm(join(trash, name), { recursive: true, force: true });
      deleted.push(name);
    } catch (error) {
      onProblem(name, error);
    }
  }
  return deleted;
}
