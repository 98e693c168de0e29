import { createHash, randomUUID } from 'node:crypto';
import { link, open, rename, rm, stat } from 'node:fs/promises';
import { createServer, type Server, connect as socketTo } from 'node:net';
import { FluxError } from '@flux/contract/errors';
import { runWithDescriptor } from './process.ts';

/** What flock(1) ends with when somebody else has the lock. */
const CONFLICT = 1;
/** A killed process leaves it behind; then nothing listens on it. */
const LOCK_NAME = 'server.lock';

/**
 * Locks a folder for this process alone, under any path: it is identified by device and inode, so a link or a bind mount to it is the
 * same folder.
 *
 * The lock is flock(2) on the folder, which the kernel releases with the process, so a killed server never blocks the next and no pid has
 * to be checked; it holds in other containers of this host as well. A socket in the folder is what earlier releases look for. Without the
 * program flock, an abstract socket (unix(7)) stands in for it, within one network namespace. Other hosts that share the folder are not
 * detected.
 *
 * @returns the function that releases the folder
 * @throws FluxError `data_folder_locked`
 */
export async function lockFolder(path: string): Promise<() => Promise<void>> {
  const release = (await lockByKernel(path)) ?? (await lockByName(path));
  try {
    const releaseFile = await lockByFile(path);
    return async () => {
      await releaseFile();
      await release();
    };
  } catch (error) {
    await release();
    throw error;
  }
}

/** The lock belongs to our open file, which the program only borrows. Undefined where there is no such program or no such lock. */
async function lockByKernel(path: string): Promise<(() => Promise<void>) | undefined> {
  const folder = await open(path, 'r');
  const status = await runWithDescriptor('flock', ['-n', '3'], folder.fd);
  if (status === 0) return () => folder.close();
  await folder.close();
  if (status === CONFLICT) throw locked(path);
  return undefined;
}

async function lockByName(path: string): Promise<() => Promise<void>> {
  const { dev, ino } = await stat(path, { bigint: true });
  const identity = createHash('sha256').update(`${dev}:${ino}`).digest('hex');
  const abstract = await listen(`\0flux-${identity.slice(0, 40)}`).catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'EADDRINUSE' ? locked(path) : error;
  });
  return () => close(abstract);
}

async function lockByFile(path: string): Promise<() => Promise<void>> {
  const folder = await open(path, 'r');
  // The path of a socket is limited to 107 bytes; through the descriptor of the folder it is always short.
  const placeOf = (name: string) => `/proc/self/fd/${folder.fd}/${name}`;
  const [own, stale, lock] = [placeOf(`.lock-${randomUUID()}`), placeOf(`.lock-${randomUUID()}`), placeOf(LOCK_NAME)];
  let server: Server | undefined;
  try {
    // Not every file system supports sockets and hard links; there the abstract socket has to suffice.
    server = await listen(own).catch(() => undefined);
    if (server === undefined) return async () => undefined;
    if (!(await canLink(own, stale))) {
      await close(server);
      server = undefined;
      return async () => undefined;
    }
    while (!(await linked(own, lock))) {
      if (await answers(lock)) throw locked(path);
      // Checked again under the other name: another process may have put a live socket there before it was moved.
      await rename(lock, stale).catch(ignoreMissing);
      const isAlive = await answers(stale);
      if (isAlive) await link(stale, lock).catch(() => undefined);
      await rm(stale, { force: true });
      if (isAlive) throw locked(path);
    }
  } catch (error) {
    if (server !== undefined) await close(server);
    throw error;
  } finally {
    await rm(own, { force: true });
    if (server === undefined) await folder.close();
  }
  const held = server;
  return async () => {
    await rm(lock, { force: true });
    await close(held);
    await folder.close();
  };
}

async function canLink(from: string, to: string): Promise<boolean> {
  const isMade = await linked(from, to).catch(() => false);
  if (isMade) await rm(to, { force: true });
  return isMade;
}

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}

/** Whether a process listens on a socket; true when that cannot be determined. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = socketTo(path);
    const end = (isAlive: boolean) => {
      socket.destroy();
      resolve(isAlive);
    };
    socket.once('connect', () => end(true));
    socket.once('error', (error: NodeJS.ErrnoException) => end(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT'));
  });
}

async function listen(path: string): Promise<Server> {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  server.unref();
  return server;
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}

function locked(path: string): FluxError {
  return new FluxError('data_folder_locked', `Another Flux already uses the data folder ${path}.`, {
    hint: 'Stop that one first, or set FLUX_DATA_DIR to another folder.',
  });
}
