import { chmod, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { FluxError } from '@flux/contract/errors';
import type { PostgresTarget, PostgresTools } from '../../postgres/target.ts';
import { type Account, startDaemon } from '../../system/process.ts';
import { readProcess } from '../../system/process-table.ts';
import { awaitReady } from '../await-session.ts';
import type { RunningServer } from '../driver.ts';
import { type InstanceFolders, makeAccountFolder, makeOpenFolder, volumeError } from '../folders.ts';
import { SUPERUSER } from '../names.ts';
import { isPortFree } from '../ports.ts';
import type { InstanceRecord } from '../record.ts';
import { writeConfig } from './cluster.ts';
import { logPosition, logTail } from './log-file.ts';
import { awaitOrphans, findPostmaster, isSameProcess, type Postmaster, stopPostmaster } from './postmaster.ts';

/** A server process that answers. */
export interface LocalServer extends RunningServer {
  readonly postmaster: Postmaster;
  readonly socketFolder: string;
}

export interface LaunchOptions {
  readonly folders: InstanceFolders;
  readonly record: InstanceRecord;
  readonly tools: PostgresTools;
  readonly account: Account | undefined;
  readonly password: string;
  readonly signal: AbortSignal | undefined;
}

/** How often a server that is not our child is checked. */
const WATCH_MS = 500;

/**
 * Starts the server of an instance, or adopts the one that already runs on its data, and returns when it answers.
 *
 * @throws FluxError `port_taken`, `instance_unavailable` with the last lines of its log, `volume_full`, `volume_unusable`
 */
export async function launchServer(options: LaunchOptions): Promise<LocalServer> {
  const { folders, record } = options;
  const found = await findPostmaster(folders.data);
  const from = await logPosition(folders.log);
  const server = found === undefined ? await spawnServer(options) : watch(found, found.socketFolder ?? folders.socket);
  try {
    await awaitReady(superuserTarget(record.port, server.socketFolder, options.password), server.ended, options.signal);
    return server;
  } catch (error) {
    const died = server.ended.aborted;
    server.unwatch();
    // An adopted server may have connected users: it is left running even when this fails.
    if (found === undefined) await stopPostmaster(server.postmaster, folders.data, 0);
    if (!died) throw error;
    const words = await logTail(folders.log, from);
    if (/No space left on device|Disk quota exceeded/.test(words))
      throw new FluxError('volume_full', `Postgres instance ${record.spec.id} has no space left: ${words}`, { cause: error });
    throw new FluxError('instance_unavailable', `Postgres instance ${record.spec.id} ended while it started: ${words}`, { cause: error });
  }
}

/** How the superuser connects. */
export function superuserTarget(port: number | null, socketFolder: string, password: string, database = 'postgres'): PostgresTarget {
  return { host: socketFolder, port: port ?? 5432, user: SUPERUSER, password, database };
}

async function spawnServer(options: LaunchOptions): Promise<LocalServer> {
  const { folders, record, tools, account } = options;
  await awaitOrphans(folders.data);
  // Nothing runs on this data, so its lock files are stale. Postgres would trust them if their pid was reused by
  // another process of its account, as happens after a reboot to every second one of many instances.
  await rm(join(folders.data, 'postmaster.pid'), { force: true });
  await rm(folders.socket, { recursive: true, force: true });
  // The port stays the same: it is in the users' connection strings, which another one would silently break.
  if (record.port !== null && !(await isPortFree(record.port)))
    throw new FluxError(
      'port_taken',
      `Another program listens on 127.0.0.1:${record.port}, the port of Postgres instance ${record.spec.id}.`,
      {
        hint: `Find it with \`ss -ltnp 'sport = :${record.port}'\` and stop it; the instance then starts by itself.`,
      },
    );
  try {
    await makeOpenFolder(folders.root);
    await makeAccountFolder(folders.socket, account);
    await writeConfig(folders, record);
    await using log = await open(folders.log, 'a', 0o600);
    await chmod(folders.log, 0o600);
    const args = ['-D', folders.data, '-c', `config_file=${folders.config}`];
    const daemon = await startDaemon(tools.postgres as string, args, { account, logFd: log.fd, detached: true });
    const entry = await readProcess(daemon.pid);
    const ended = new AbortController();
    void daemon.exited.then(() => ended.abort(endedError()));
    return {
      postmaster: { pid: daemon.pid, startTicks: entry?.startTicks ?? '', socketFolder: folders.socket },
      socketFolder: folders.socket,
      ended: ended.signal,
      unwatch: () => undefined,
    };
  } catch (error) {
    throw volumeError(error, `while Postgres instance ${record.spec.id} was being started`);
  }
}

function watch(postmaster: Postmaster, socketFolder: string): LocalServer {
  const ended = new AbortController();
  // biome-ignore lint/style/noRestrictedGlobals: a process that is not our child can only be polled.
  const timer = setInterval(async () => {
    if (await isSameProcess(postmaster)) return;
    clearInterval(timer);
    ended.abort(endedError());
  }, WATCH_MS);
  timer.unref();
  return { postmaster, socketFolder, ended: ended.signal, unwatch: () => clearInterval(timer) };
}

function endedError(): FluxError {
  return new FluxError('instance_unavailable', 'The server process has ended.');
}
