import { closeSync, openSync, readSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';

/** One process, as the kernel reports it. */
export interface ProcessEntry {
  readonly pid: number;
  readonly parentPid: number;
  /** Name of the program, at most 15 characters. */
  readonly name: string;
  /** Start time in clock ticks since boot: together with the pid it identifies a process even when pids are reused. */
  readonly startTicks: string;
  /** One letter, such as R for running: proc_pid_stat(5). */
  readonly state: string;
}

/** One process; undefined when it does not exist or is a zombie. */
export async function readProcess(pid: number): Promise<ProcessEntry | undefined> {
  const text = readNow(`/proc/${pid}/stat`);
  return text === undefined ? undefined : parseStat(pid, text);
}

/** Every live process. */
export async function listProcesses(): Promise<readonly ProcessEntry[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const buffer = Buffer.allocUnsafe(MAX_BYTES);
  const entries: ProcessEntry[] = [];
  for (const [index, pid] of pids.entries()) {
    // About a millisecond for each batch: a host with thousands of processes must not keep requests waiting.
    if (index % BATCH === BATCH - 1) await nextTurn();
    const text = readNow(`/proc/${pid}/stat`, buffer);
    const entry = text === undefined ? undefined : parseStat(Number(pid), text);
    if (entry !== undefined) entries.push(entry);
  }
  return entries;
}

const BATCH = 64;
/** `stat` has about 300 bytes, `status` about 1500. */
const MAX_BYTES = 8192;

/**
 * Reads a small file of a process at once, without a thread; undefined when the process has ended or is not ours to look at.
 *
 * No disk is behind /proc. To hand each read to a thread, with 64 KiB of memory for a file of unknown size, takes five times the
 * processor time, and a verification looks at the whole table ten times a second.
 */
function readNow(path: string, buffer = Buffer.allocUnsafe(MAX_BYTES)): string | undefined {
  let file: number | undefined;
  try {
    file = openSync(path, 'r');
    return buffer.toString('latin1', 0, readSync(file, buffer, 0, MAX_BYTES, 0));
  } catch {
    return undefined;
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** The processes with these pids and all their descendants, parents first. */
export function treeOf(entries: readonly ProcessEntry[], roots: readonly number[]): readonly ProcessEntry[] {
  const children = Map.groupBy(entries, (entry) => entry.parentPid);
  const tree = entries.filter((entry) => roots.includes(entry.pid));
  const seen = new Set(tree.map((entry) => entry.pid));
  // The list grows while it is iterated: each process adds its children.
  for (const parent of tree)
    for (const child of children.get(parent.pid) ?? [])
      if (!seen.has(child.pid)) {
        seen.add(child.pid);
        tree.push(child);
      }
  return tree;
}

/**
 * Whether the working directory of a process is this folder; false when the process does not exist or may not be inspected. Folders are
 * compared by device and inode, since a link or a bind mount gives a folder another path.
 */
export async function worksIn(pid: number, folder: string): Promise<boolean> {
  const [its, ours] = await Promise.all([stat(`/proc/${pid}/cwd`), stat(folder)].map((facts) => facts.catch(() => undefined)));
  return its !== undefined && ours !== undefined && its.dev === ours.dev && its.ino === ours.ino;
}

/** The pid of a process as it sees it itself, in the namespace that it runs in; undefined when it does not exist. See proc(5). */
export function ownPidOf(pid: number): number | undefined {
  const text = readNow(`/proc/${pid}/status`);
  if (text === undefined) return undefined;
  const pids = /^NSpid:\s+([\d \t]+)$/m.exec(text)?.[1]?.trim().split(/\s+/) ?? [];
  return Number(pids.at(-1) ?? pid);
}

/** Whether a process sees other processes than this one does: it runs in a namespace of pids of its own. */
export function isSeparate(pid: number): boolean {
  const text = readNow(`/proc/${pid}/status`);
  return /^NSpid:\s+\d+\s+\d/m.test(text ?? '');
}

/** The command line of a process, words separated by one space; empty when there is no such process. */
export async function commandLineOf(pid: number): Promise<string> {
  const text = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  return text.replaceAll('\0', ' ').trimEnd();
}

/** Private and shared memory of a process, in bytes; zero when it does not exist. */
export async function memoryOf(pid: number): Promise<{ readonly ownBytes: number; readonly sharedBytes: number }> {
  const text = readNow(`/proc/${pid}/status`) ?? '';
  const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) * 1024;
  return { ownBytes: field('RssAnon'), sharedBytes: field('RssShmem') };
}

/** Reads `/proc/<pid>/stat`: see proc(5). The second field is the name, in parentheses, and may contain any character. */
export function parseStat(pid: number, text: string): ProcessEntry | undefined {
  const name = text.slice(text.indexOf('(') + 1, text.lastIndexOf(')'));
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, parentPid, startTicks] = [fields[0], fields[1], fields[19]];
  if (state === undefined || parentPid === undefined || startTicks === undefined) return undefined;
  if (state === 'Z' || state === 'X') return undefined;
  return { pid, parentPid: Number(parentPid), name, startTicks, state };
}
