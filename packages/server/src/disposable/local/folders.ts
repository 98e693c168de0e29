import { constants } from 'node:fs';
import { chmod, chown, copyFile, mkdir, realpath, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { FluxError } from '@flux/contract/errors';
import { makeAccountFolder, makeOpenFolder, socketFolder } from '../../instances/folders.ts';
import { type Account, runProcess } from '../../system/process.ts';
import { readProcess } from '../../system/process-table.ts';

/** The folders of one disposable instance on the host. */
export interface DisposableFolders {
  readonly id: string;
  readonly root: string;
  /** Names the process that created it, so that a sweep can tell whether that process is still alive. */
  readonly owner: string;
  readonly log: string;
  readonly accounts: string;
  readonly scaffold: string;
  readonly data: string;
  readonly archiveCopy: string;
  readonly socket: string;
}

export function disposableFolders(dataFolder: string, runFolder: string, id: string): DisposableFolders {
  const root = join(dataFolder, 'disposable', id);
  return {
    id,
    root,
    owner: join(root, 'owner.json'),
    log: join(root, 'server.log'),
    accounts: join(root, 'passwd'),
    scaffold: join(root, 'scaffold'),
    data: join(root, 'data'),
    archiveCopy: join(root, 'archive'),
    socket: socketFolder(runFolder, `${SOCKET_PREFIX}${id}`),
  };
}

/** Prefix of the socket folders of disposable instances. */
export const SOCKET_PREFIX = 'd-';

/** Creates the folders; the owner's mark first, so that no sweep treats them as left over. */
export async function makeDisposableFolders(folders: DisposableFolders, account: Account | undefined): Promise<void> {
  await makeOpenFolder(dirname(folders.root));
  await makeOpenFolder(folders.root);
  const self = await readProcess(process.pid);
  await writeFile(folders.owner, JSON.stringify({ pid: process.pid, startTicks: self?.startTicks ?? '' }), { mode: 0o600 });
  await writeFile(folders.log, '', { mode: 0o600 });
  // Postgres and its tools look up the name of their account; this list contains only that one.
  const [uid, gid] = account === undefined ? [process.getuid?.() ?? 1000, process.getgid?.() ?? 1000] : [account.uid, account.gid];
  await writeFile(folders.accounts, `flux:x:${uid}:${gid}::/tmp:/bin/sh\nflux:x:1000:1000::/tmp:/bin/sh\n`, { mode: 0o644 });
  await mkdir(folders.scaffold, { mode: 0o755 });
  await chmod(folders.accounts, 0o644);
  await chmod(folders.scaffold, 0o755);
  await makeAccountFolder(folders.socket, account);
}

/** Removes the folders with any content. */
export async function removeDisposableFolders(folders: DisposableFolders): Promise<void> {
  for (const path of [folders.socket, folders.root]) {
    try {
      await rm(path, { recursive: true, force: true, maxRetries: 3 });
    } catch {
      // Folders may be nested deeper than the longest possible path: rm(1) descends instead of using full paths.
      const result = await runProcess('rm', ['-rf', '--', path]);
      if (result.exitCode !== 0) throw new FluxError('volume_unusable', `${path} cannot be removed: ${result.stderr.trim()}`);
    }
  }
}

/**
 * Makes sure that the account can read the archive, and returns the path for it. An artifact is private (0600), and its mode is never
 * changed for this, not even for a moment: the account gets a copy, which is free where the file system can share blocks.
 *
 * @throws the error of the file system
 */
export async function exposeArchive(archivePath: string, folders: DisposableFolders, account: Account | undefined): Promise<string> {
  const path = await realpath(archivePath);
  if (account === undefined || (await mayRead(path, account))) return path;
  await copyFile(path, folders.archiveCopy, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
  await chown(folders.archiveCopy, account.uid, account.gid);
  await chmod(folders.archiveCopy, 0o400);
  return folders.archiveCopy;
}

async function mayRead(path: string, account: Account): Promise<boolean> {
  const bit = async (at: string, value: number) => {
    const { mode, uid, gid } = await stat(at);
    return ((mode >> (uid === account.uid ? 6 : gid === account.gid ? 3 : 0)) & value) !== 0;
  };
  if (!(await bit(path, 4))) return false;
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    if (!(await bit(folder, 1))) return false;
    if (folder === dirname(folder)) return true;
  }
}
