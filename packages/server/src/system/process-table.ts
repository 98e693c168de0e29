import { readdir, readFile, stat } from 'node:fs/promises';

/** One process as the kernel tells of it. */
export interface ProcessEntry {
  readonly pid: number;
  readonly parentPid: number;
  /** Name of the program, at most 15 characters. */
  readonly name: string;
  /** Clock ticks since boot at which it started: with the pid, it names a process that a recycled pid cannot imitate. */
  readonly startTicks: string;
}

/** One process; undefined when there is none, or when it has ended and only waits to be collected by its parent. */
export async function readProcess(pid: number): Promise<ProcessEntry | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => undefined);
  return text === undefined ? undefined : parseStat(pid, text);
}

/** Every process that lives. */
export async function listProcesses(): Promise<readonly ProcessEntry[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const entries = await Promise.all(pids.map((pid) => readProcess(Number(pid))));
  return entries.filter((entry) => entry !== undefined);
}

/** The processes with these pids and everything that they started, parents first. */
export function treeOf(entries: readonly ProcessEntry[], roots: readonly number[]): readonly ProcessEntry[] {
  const children = Map.groupBy(entries, (entry) => entry.parentPid);
  const tree = entries.filter((entry) => roots.includes(entry.pid));
  const seen = new Set(tree.map((entry) => entry.pid));
  // The list grows while it is walked: each process brings its children.
  for (const parent of tree)
    for (const child of children.get(parent.pid) ?? [])
      if (!seen.has(child.pid)) {
        seen.add(child.pid);
        tree.push(child);
      }
  return tree;
}

/**
 * Tells whether a process works in a folder; false when there is no such process or when we may not know. It is the folder itself
 * that is compared, since a path proves little: a link or a bind mount gives it another.
 */
export async function worksIn(pid: number, folder: string): Promise<boolean> {
  const [its, ours] = await Promise.all([stat(`/proc/${pid}/cwd`), stat(folder)].map((facts) => facts.catch(() => undefined)));
  return its !== undefined && ours !== undefined && its.dev === ours.dev && its.ino === ours.ino;
}

/** The command line of a process, words separated by one space; empty when there is no such process. */
export async function commandLineOf(pid: number): Promise<string> {
  const text = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  return text.replaceAll('\0', ' ').trimEnd();
}

/** Memory that a process holds for itself and that it shares with others of its kind, in bytes; zero when it is gone. */
export async function memoryOf(pid: number): Promise<{ readonly ownBytes: number; readonly sharedBytes: number }> {
  const text = await readFile(`/proc/${pid}/status`, 'latin1').catch(() => '');
  const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) * 1024;
  return { ownBytes: field('RssAnon'), sharedBytes: field('RssShmem') };
}

/** Reads `/proc/<pid>/stat`: see proc(5). The second field is the name, in parentheses, and may hold anything. */
export function parseStat(pid: number, text: string): ProcessEntry | undefined {
  const name = text.slice(text.indexOf('(') + 1, text.lastIndexOf(')'));
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, parentPid, startTicks] = [fields[0], fields[1], fields[19]];
  if (state === undefined || parentPid === undefined || startTicks === undefined) return undefined;
  return state === 'Z' || state === 'X' ? undefined : { pid, parentPid: Number(parentPid), name, startTicks };
}
