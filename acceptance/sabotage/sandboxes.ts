import { readdirSync, readFileSync } from 'node:fs';

/** A process, as /proc reports it. */
export interface ProcessInfo {
  readonly pid: number;
  readonly name: string;
}

/**
 * Ids of the sandboxes that a server's restores run in at this moment: the command line of pg_restore contains the socket folder of its
 * sandbox.
 */
export function listSandboxes(serverFolder: string): string[] {
  return processIds().flatMap((pid) => {
    const command = readProc(pid, 'cmdline');
    if (!command.includes(serverFolder) || !command.includes('/pg_restore')) return [];
    return [...command.matchAll(/\/run\/d-([0-9a-f]+)/g)].map(([, id]) => id as string);
  });
}

/**
 * Processes in one of the sandboxes, oldest first. A sandbox is identified by its mounts: a process inside can change its command line and
 * its parent, but not those.
 */
export function processesIn(sandboxes: Iterable<string>): ProcessInfo[] {
  const marks = [...sandboxes].flatMap((id) => [`/d-${id}`, `/disposable/${id}/`]);
  if (marks.length === 0) return [];
  return processIds()
    .filter((pid) => {
      const mounts = readProc(pid, 'mountinfo');
      return marks.some((mark) => mounts.includes(mark));
    })
    .map(infoOf);
}

/** Processes with a word in their command line. */
export function processesWith(word: string): ProcessInfo[] {
  return processIds()
    .filter((pid) => readProc(pid, 'cmdline').includes(word))
    .map(infoOf);
}

function infoOf(pid: number): ProcessInfo {
  return { pid, name: readProc(pid, 'comm').trim() };
}

function processIds(): number[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => pid !== process.pid)
    .sort((a, b) => a - b);
}

function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    // It has ended, or belongs to somebody else.
    return '';
  }
}
