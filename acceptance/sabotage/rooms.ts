import { readdirSync, readFileSync } from 'node:fs';

/** A process as /proc tells of it. */
export interface Resident {
  readonly pid: number;
  readonly name: string;
}

/**
 * The rooms that a server's restores run in at this moment, by id: pg_restore names on its command line the socket folder of
 * the room that its Postgres stands in.
 */
export function listRooms(serverFolder: string): string[] {
  return processIds().flatMap((pid) => {
    const command = readProc(pid, 'cmdline');
    if (!command.includes(serverFolder) || !command.includes('/pg_restore')) return [];
    return [...command.matchAll(/\/run\/d-([0-9a-f]+)/g)].map(([, id]) => id as string);
  });
}

/**
 * Processes that stand in one of the rooms, oldest first. A room is known by its mounts: what runs inside changes its command
 * line and its parent as it likes, and cannot change those.
 */
export function processesIn(rooms: Iterable<string>): Resident[] {
  const marks = [...rooms].flatMap((room) => [`/d-${room}`, `/disposable/${room}/`]);
  if (marks.length === 0) return [];
  return processIds()
    .filter((pid) => {
      const mounts = readProc(pid, 'mountinfo');
      return marks.some((mark) => mounts.includes(mark));
    })
    .map(resident);
}

/** Processes that carry a word on their command line. */
export function processesWith(word: string): Resident[] {
  return processIds()
    .filter((pid) => readProc(pid, 'cmdline').includes(word))
    .map(resident);
}

function resident(pid: number): Resident {
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
