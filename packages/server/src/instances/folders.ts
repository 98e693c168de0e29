import { createHash } from 'node:crypto';
import { access, chmod, chown, mkdir, readdir, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { FluxError } from '@flux/contract/errors';
import type { Account } from '../system/process.ts';

/** The folders of one instance. Only `data` is owned by the account of Postgres; the rest by the control plane. */
export interface InstanceFolders {
  readonly root: string;
  readonly record: string;
  readonly secret: string;
  /** A folder with nothing but the settings: the server sees it, and not the folder around it. */
  readonly settings: string;
  /** What the instance is, in the words of the engine. */
  readonly standing: string;
  readonly config: string;
  readonly access: string;
  readonly data: string;
  /** Locked for as long as any process behind the wall of the instance lives. */
  readonly lock: string;
  readonly log: string;
  /** Folder of the Unix socket. */
  readonly socket: string;
}

/** sockaddr_un holds 108 bytes with the final zero (unix(7)); Postgres adds `/.s.PGSQL.<port>`. */
const MAX_SOCKET_FOLDER = 107 - '/.s.PGSQL.65535'.length;

/** The paths of one instance; nothing is created. @throws FluxError `config_invalid` when the socket's path would be too long */
export function foldersOf(dataFolder: string, runFolder: string, id: string): InstanceFolders {
  const root = join(dataFolder, 'instances', id);
  return {
    root,
    record: join(root, 'instance.json'),
    secret: join(root, 'superuser.secret'),
    standing: join(root, 'standing'),
    settings: join(root, 'settings'),
    config: join(root, 'settings', 'postgresql.conf'),
    access: join(root, 'settings', 'pg_hba.conf'),
    data: join(root, 'data'),
    lock: join(root, 'lock'),
    log: join(root, 'log', 'postgres.log'),
    socket: socketFolder(runFolder, id),
  };
}

/** Deletes all files of an instance. The record is deleted last, so that after a crash half-way its `removing` is found. */
export async function removeFolders(folders: InstanceFolders): Promise<void> {
  const settings = { recursive: true, force: true, maxRetries: 3 };
  await rm(folders.socket, settings);
  await rm(folders.data, settings);
  for (const name of await namesIn(folders.root)) {
    const path = join(folders.root, name);
    if (path !== folders.record) await rm(path, settings);
  }
  await rm(folders.root, settings);
}

/** Names of what a folder contains; none when it does not exist. */
export async function namesIn(path: string): Promise<string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** What is wrong with the folders of an instance; undefined when they look complete. */
export async function damageOf(folders: InstanceFolders): Promise<{ state: 'missing' | 'corrupted'; problem: string } | undefined> {
  const isThere = (path: string) =>
    access(path).then(
      () => true,
      () => false,
    );
  if (!(await isThere(folders.root))) return { state: 'missing', problem: `Its folder ${folders.root} does not exist.` };
  for (const path of [folders.record, folders.secret, `${folders.data}/PG_VERSION`])
    if (!(await isThere(path))) return { state: 'corrupted', problem: `${path} does not exist or cannot be read.` };
  return undefined;
}

/** A short folder for a socket: the name itself where it fits, a hash of it where it does not. */
export function socketFolder(runFolder: string, name: string): string {
  const hashed = createHash('sha256').update(name).digest('hex').slice(0, 12);
  const fitting = [name, hashed].map((part) => join(runFolder, part)).find((path) => Buffer.byteLength(path) <= MAX_SOCKET_FOLDER);
  if (fitting !== undefined) return fitting;
  throw new FluxError(
    'config_invalid',
    `The folder for sockets, ${runFolder}, has too long a path: a Unix socket in it could not be opened.`,
    {
      hint: 'Choose a data folder with a shorter path.',
    },
  );
}

/** Creates a folder that is ours and that the account may traverse but not list. */
export async function makeOpenFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o711 });
  await chmod(path, 0o711);
}

/** Creates a folder that only the account (or we, when there is none) can enter. */
export async function makeAccountFolder(path: string, account: Account | undefined): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  await chmod(path, 0o700);
  if (account !== undefined) await chown(path, account.uid, account.gid);
}

/**
 * Makes sure that the account can reach a folder. Only the mode of our own folder is changed for that; closed parent folders are the
 * operator's responsibility.
 *
 * @throws FluxError `volume_unusable`
 */
export async function makeReachable(folder: string, account: Account | undefined): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o711 });
  // In a world-writable folder another account may have created it first, and could replace our sockets with its own.
  const owner = (await stat(folder)).uid;
  if (![0, process.getuid?.(), account?.uid].includes(owner))
    throw new FluxError('volume_unusable', `${folder} belongs to another account (uid ${owner}).`, {
      hint: `Remove it, or choose another data folder with FLUX_DATA_DIR.`,
    });
  if (account === undefined) return;
  if (!(await mayEnter(folder, account))) await chmod(folder, ((await stat(folder)).mode & 0o7777) | 0o001);
  for (let path = dirname(folder); ; path = dirname(path)) {
    if (!(await mayEnter(path, account)))
      throw new FluxError(
        'volume_unusable',
        `The account "${account.name}", which runs Postgres, cannot reach ${folder}: ${path} is closed to it.`,
        {
          hint: 'Choose a data folder that it can reach, for example FLUX_DATA_DIR=/var/lib/flux.',
        },
      );
    if (path === dirname(path)) return;
  }
}

async function mayEnter(path: string, account: Account): Promise<boolean> {
  const { mode, uid, gid } = await stat(path);
  const shift = uid === account.uid ? 6 : gid === account.gid ? 3 : 0;
  return ((mode >> shift) & 1) === 1;
}

/** Converts an error of the file system to a FluxError; other errors pass through. */
export function volumeError(error: unknown, doing: string): unknown {
  const code = (error as NodeJS.ErrnoException)?.code;
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new FluxError('volume_full', `There is no space left ${doing}.`, {
      hint: 'Free space in the data folder, then try again.',
      cause: error,
    });
  if (code !== undefined && /^(EACCES|EPERM|EROFS|EIO|ENOTDIR|EEXIST|ENOENT)$/.test(code))
    return new FluxError('volume_unusable', `The file system refused ${doing}: ${(error as Error).message}`, { cause: error });
  return error;
}
