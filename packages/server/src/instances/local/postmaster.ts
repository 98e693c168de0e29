import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { FluxError } from '@flux/contract/errors';
import { signalProcess } from '../../system/process.ts';
import { isSeparate, listProcesses, ownPidOf, type ProcessEntry, readProcess, worksIn } from '../../system/process-table.ts';

/** A server process that was verified to be ours. */
export interface Postmaster {
  readonly pid: number;
  readonly startTicks: string;
  /** The folder of its socket, which may differ from the current setting of the control plane. */
  readonly socketFolder: string | undefined;
}

/** The file in a data folder in which a server says who it is. Its account can put anything there. */
const PID_FILE = 'postmaster.pid';
const MAX_PID_FILE_BYTES = 4096;
/** The programs that build the wall of an instance; they wait for the server, and end with it. */
const WALL_PROGRAMS: ReadonlySet<string> = new Set(['bwrap', 'unshare', 'setpriv', 'sh']);
const WALL_ENDS_MS = 2000;
/** How long processes may take to end after SIGKILL. */
const KILLED_MS = 10_000;

/**
 * Finds the server that runs on a data folder, no matter which process started it.
 *
 * A pid in a file proves nothing: after a crash or a reboot it may belong to another process, and behind a wall it counts in a namespace of
 * its own. The proof is a postgres that has this pid in its own eyes, and whose working directory is this folder, as that of every server is.
 */
export async function findPostmaster(dataFolder: string): Promise<Postmaster | undefined> {
  // Lines: pid, data folder, start time, port, socket folder, ... Source: src/include/utils/pidfile.h of Postgres.
  const lines = (await readPidFile(join(dataFolder, PID_FILE)).catch(() => '')).split('\n');
  const pid = Number(lines[0]);
  if (!Number.isInteger(pid) || pid <= 1) return undefined;
  const proven = async (entry: ProcessEntry | undefined) =>
    entry?.name === 'postgres' && ownPidOf(entry.pid) === pid && (await worksIn(entry.pid, dataFolder));
  const without = await readProcess(pid);
  const found = (await proven(without)) ? without : await findAsync(await listProcesses(), proven);
  return found === undefined ? undefined : { pid: found.pid, startTicks: found.startTicks, socketFolder: lines[4] || undefined };
}

/** Neither a pipe without a writer nor a link out of the folder may hold up the control plane or show it something else. */
async function readPidFile(path: string): Promise<string> {
  await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  if (!(await file.stat()).isFile()) return '';
  const { buffer, bytesRead } = await file.read(Buffer.alloc(MAX_PID_FILE_BYTES), 0, MAX_PID_FILE_BYTES, 0);
  return buffer.toString('utf8', 0, bytesRead);
}

async function findAsync<T>(all: readonly T[], matches: (one: T) => Promise<boolean>): Promise<T | undefined> {
  for (const one of all) if (await matches(one)) return one;
  return undefined;
}

/** The processes around a server that make its wall, innermost first. */
async function wallAround(server: Postmaster): Promise<readonly ProcessEntry[]> {
  const programs: ProcessEntry[] = [];
  if (!isSeparate(server.pid)) return programs;
  for (let at = await readProcess(server.pid); at !== undefined && at.parentPid > 1; ) {
    at = await readProcess(at.parentPid);
    if (at === undefined || !WALL_PROGRAMS.has(at.name)) break;
    programs.push(at);
  }
  return programs;
}

/** Whether this same process is still alive. */
export async function isSameProcess(process: { readonly pid: number; readonly startTicks: string }): Promise<boolean> {
  return (await readProcess(process.pid))?.startTicks === process.startTicks;
}

/**
 * Waits until no process works in a data folder. After a server was killed its backends live for another moment, use its shared
 * memory, and prevent a new server from starting. Those that take longer than `timeoutMs` are killed. One that waits for a disk does not
 * even see that.
 *
 * @throws FluxError `instance_unavailable` when some have not ended `KILLED_MS` later
 */
export async function awaitOrphans(dataFolder: string, timeoutMs = 3000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const orphans = await processesIn(dataFolder);
    if (orphans.length === 0) return;
    if (performance.now() > deadline + KILLED_MS) throw orphansError(dataFolder);
    if (performance.now() > deadline) for (const orphan of orphans) if (await isSameProcess(orphan)) signalProcess(orphan.pid, 'SIGKILL');
    await sleep(20);
  }
}

function orphansError(dataFolder: string): FluxError {
  return new FluxError(
    'instance_unavailable',
    `Processes of an earlier server still use ${dataFolder}, and have not ended when they were killed.`,
    {
      hint: 'They probably wait for a disk that does not answer: look for state D in `ps -C postgres -o pid,stat,wchan`.',
    },
  );
}

/** Lets processes of a server go on that somebody has stopped (SIGSTOP): otherwise they never see the signal that asks them to end. */
async function resume(dataFolder: string): Promise<void> {
  for (const { pid } of await processesIn(dataFolder)) signalProcess(pid, 'SIGCONT');
}

/** Every process of Postgres that works in a data folder. */
async function processesIn(dataFolder: string): Promise<readonly ProcessEntry[]> {
  // Compares the name first: this folder may also be the working directory of an operator's shell.
  const entries = (await listProcesses()).filter((entry) => entry.name === 'postgres');
  const areHere = await Promise.all(entries.map((entry) => worksIn(entry.pid, dataFolder)));
  return entries.filter((_, index) => areHere[index]);
}

/**
 * Stops a server: no new connections, open transactions rolled back, a checkpoint. One that has not ended after
 * `timeoutMs` is stopped the hard way; its next start then recovers from the log.
 */
export async function stopPostmaster(server: Postmaster, dataFolder: string, timeoutMs = 30_000): Promise<void> {
  const steps: ReadonlyArray<readonly [NodeJS.Signals, number]> = [
    ['SIGINT', timeoutMs],
    ['SIGQUIT', 5000],
    ['SIGKILL', 10_000],
  ];
  const wall = await wallAround(server);
  for (const [signal, waitMs] of steps) {
    if (!(await isSameProcess(server))) break;
    signalProcess(server.pid, signal);
    await resume(dataFolder);
    for (const deadline = performance.now() + waitMs; performance.now() < deadline && (await isSameProcess(server)); ) await sleep(5);
  }
  await awaitOrphans(dataFolder, 2000);
  for (const deadline = performance.now() + WALL_ENDS_MS; performance.now() < deadline; await sleep(5))
    if (!(await Promise.all(wall.map(isSameProcess))).includes(true)) break;
}
