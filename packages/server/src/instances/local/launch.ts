import { chmod, open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FluxError } from '@flux/contract/errors';
import type { PostgresTarget, PostgresTools } from '../../postgres/target.ts';
import { type Account, type Daemon, startDaemon } from '../../system/process.ts';
import { awaitReady } from '../await-session.ts';
import type { RunningServer } from '../driver.ts';
import { type InstanceFolders, makeAccountFolder, makeOpenFolder, volumeError } from '../folders.ts';
import { SUPERUSER } from '../names.ts';
import { isPortFree } from '../ports.ts';
import type { InstanceRecord } from '../record.ts';
import { LEFT_RUNNING } from '../supervise.ts';
import { writeConfig } from './cluster.ts';
import { killTree } from './kill-tree.ts';
import { logPosition, logTail } from './log-file.ts';
import { awaitOrphans, findPostmaster, isSameProcess, type Postmaster, stopPostmaster } from './postmaster.ts';
import { LOCK_CONFLICT, type Wall } from './wall.ts';

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
  readonly wall: Wall;
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
  const { folders } = options;
  const found = await findPostmaster(folders.data);
  return found === undefined ? await startServer(options) : await adoptServer(found, options);
}

/** An adopted server may have connected users: it is left running even when it does not answer. */
async function adoptServer(postmaster: Postmaster, options: LaunchOptions): Promise<LocalServer> {
  const socketFolder = postmaster.socketFolder ?? options.folders.socket;
  const { ended, unwatch } = watch(postmaster);
  try {
    await awaitReady(superuserTarget(options.record.port, socketFolder, options.password), ended, options.signal);
    return { postmaster, socketFolder, ended, unwatch };
  } catch (error) {
    unwatch();
    throw error;
  }
}

async function startServer(options: LaunchOptions): Promise<LocalServer> {
  const { folders, record } = options;
  const from = await logPosition(folders.log);
  const daemon = await spawnServer(options);
  const ended = new AbortController();
  let status: number | null = null;
  void daemon.exited.then(({ exitCode }) => {
    status = exitCode;
    ended.abort(endedError());
  });
  try {
    await awaitReady(superuserTarget(record.port, folders.socket, options.password), ended.signal, options.signal);
    // Behind a wall, the process that was started is the one that waits for the server.
    const postmaster = await findPostmaster(folders.data);
    if (postmaster === undefined) throw endedError();
    return { postmaster, socketFolder: folders.socket, ended: ended.signal, unwatch: () => undefined };
  } catch (error) {
    if (options.signal?.reason === LEFT_RUNNING) throw error;
    const died = ended.signal.aborted;
    const running = await findPostmaster(folders.data);
    if (running !== undefined) await stopPostmaster(running, folders.data, 0);
    // It may not have become a server yet.
    if (!ended.signal.aborted) await killTree([daemon.pid]);
    if (!died) throw error;
    if (status === LOCK_CONFLICT) throw takenError(record, error);
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

async function spawnServer({ folders, record, tools, account, wall }: LaunchOptions): Promise<Daemon> {
  // Looks at some hundred files of Postgres: meanwhile.
  const entering = wall.enter(folders, tools, ['-D', folders.data, '-c', `config_file=${folders.config}`]);
  entering.catch(() => undefined);
  await awaitOrphans(folders.data).catch((error: unknown) => {
    throw takenError(record, error);
  });
  // Before anything of a server that lives is touched: it may live where its processes cannot be seen.
  await makeOpenFolder(folders.root);
  await writeFile(folders.lock, '', { mode: 0o644 });
  await chmod(folders.lock, 0o644);
  if (await wall.isTaken(folders)) throw takenError(record);
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
    await makeAccountFolder(folders.socket, account);
    await writeConfig(folders, record);
    await using log = await open(folders.log, 'a', 0o600);
    await chmod(folders.log, 0o600);
    const { command, args } = await entering;
    return await startDaemon(command, args, { account, logFd: log.fd, detached: true });
  } catch (error) {
    throw volumeError(error, `while Postgres instance ${record.spec.id} was being started`);
  }
}

function watch(postmaster: Postmaster): RunningServer {
  const ended = new AbortController();
  // biome-ignore lint/style/noRestrictedGlobals: a process that is not our child can only be polled.
  const timer = setInterval(async () => {
    if (await isSameProcess(postmaster)) return;
    clearInterval(timer);
    ended.abort(endedError());
  }, WATCH_MS);
  timer.unref();
  return { ended: ended.signal, unwatch: () => clearInterval(timer) };
}

function takenError({ spec }: InstanceRecord, cause?: unknown): FluxError {
  return new FluxError(
    'instance_unavailable',
    `Postgres instance ${spec.id} was not started: processes of an earlier one still use its data.`,
    {
      hint: 'They may run in another container that has the same volume. Find and stop them; the instance then starts by itself.',
      cause,
    },
  );
}

function endedError(): FluxError {
  return new FluxError('instance_unavailable', 'The server process has ended.');
}
