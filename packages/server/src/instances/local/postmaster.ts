import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { signalProcess } from '../../system/process.ts';
import { listProcesses, readProcess, worksIn } from '../../system/process-table.ts';

/** A server process that was verified to be ours. */
export interface Postmaster {
  readonly pid: number;
  readonly startTicks: string;
  /** The folder of its socket, which may differ from the current setting of the control plane. */
  readonly socketFolder: string | undefined;
}

/**
 * Finds the server that runs on a data folder, no matter which process started it.
 *
 * A pid in a file proves nothing: after a crash or a reboot it may belong to another process. The proof is that the process is a postgres
 * whose working directory is this folder, as that of every server is.
 */
export async function findPostmaster(dataFolder: string): Promise<Postmaster | undefined> {
  // Lines: pid, data folder, start time, port, socket folder, ... Source: src/include/utils/pidfile.h of Postgres.
  const lines = (await readFile(join(dataFolder, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n');
  const pid = Number(lines[0]);
  if (!Number.isInteger(pid) || pid <= 1 || pid === process.pid) return undefined;
  const entry = await readProcess(pid);
  if (entry?.name !== 'postgres' || !(await worksIn(pid, dataFolder))) return undefined;
  return { pid, startTicks: entry.startTicks, socketFolder: lines[4] || undefined };
}

/** Whether this same process is still alive. */
export async function isSameProcess(process: { readonly pid: number; readonly startTicks: string }): Promise<boolean> {
  return (await readProcess(process.pid))?.startTicks === process.startTicks;
}

/**
 * Waits until no process works in a data folder. After a server was killed its backends live for another moment, use its shared
 * memory, and prevent a new server from starting. Those that take longer than `timeoutMs` are killed.
 */
export async function awaitOrphans(dataFolder: string, timeoutMs = 3000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    // Compares the name first: this folder may also be the working directory of an operator's shell.
    const entries = (await listProcesses()).filter((entry) => entry.name === 'postgres');
    const areHere = await Promise.all(entries.map((entry) => worksIn(entry.pid, dataFolder)));
    const orphans = entries.filter((_, index) => areHere[index]);
    if (orphans.length === 0) return;
    if (Date.now() > deadline) for (const orphan of orphans) if (await isSameProcess(orphan)) signalProcess(orphan.pid, 'SIGKILL');
    await sleep(20);
  }
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
  for (const [signal, waitMs] of steps) {
    if (!(await isSameProcess(server))) break;
    signalProcess(server.pid, signal);
    for (const deadline = Date.now() + waitMs; Date.now() < deadline && (await isSameProcess(server)); ) await sleep(5);
  }
  await awaitOrphans(dataFolder, 2000);
}
