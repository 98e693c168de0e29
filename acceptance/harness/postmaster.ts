import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Pid of the server on a data folder, as this host counts; 0 when none runs. The pid in `postmaster.pid` is the one that the server sees
 * itself: behind a wall it counts in a namespace of its own.
 */
export function postmasterPid(dataFolder: string): number {
  const own = textOf(join(dataFolder, 'postmaster.pid')).split('\n')[0] ?? '';
  return own === '' ? 0 : hostPid(dataFolder, own);
}

/** Pid of a process of the server on a data folder as this host counts, from the one that the server tells (`pg_stat_activity`); 0 when there is none. */
export function hostPid(dataFolder: string, own: string): number {
  const pids = [own, ...readdirSync('/proc').filter((name) => /^\d+$/.test(name))];
  return Number(pids.find((pid) => isProcess(pid, own, dataFolder)) ?? 0);
}

/** Every process of the server on a data folder. */
export function processesOfServer(dataFolder: string): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.filter((pid) => isPostgres(textOf(`/proc/${pid}/status`)) && worksIn(pid, dataFolder)).map(Number);
}

function isProcess(pid: string, own: string, dataFolder: string): boolean {
  const status = textOf(`/proc/${pid}/status`);
  return isPostgres(status) && /^NSpid:.*\s(\d+)$/m.exec(status)?.[1] === own && worksIn(pid, dataFolder);
}

function isPostgres(status: string): boolean {
  return status.startsWith('Name:\tpostgres\n');
}

function worksIn(pid: string, dataFolder: string): boolean {
  try {
    const [its, ours] = [statSync(`/proc/${pid}/cwd`), statSync(dataFolder)];
    return its.dev === ours.dev && its.ino === ours.ino;
  } catch {
    // It ended between the two looks.
    return false;
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** Sends a signal to processes; one that has ended since they were listed is passed over. */
export function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids)
    try {
      process.kill(pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
}
