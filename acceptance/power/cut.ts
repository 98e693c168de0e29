import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type { Flux } from '../harness/flux.ts';
import { pause } from '../harness/process.ts';

/**
 * Ends every process of Flux in one moment, as a power cut does: the control plane, the servers that it runs with all of
 * their sessions, every tool and sandbox, and the command that is being waited for.
 */
export async function cutPower(flux: Flux): Promise<void> {
  for (let found = processesUnder(flux.folder); found.length > 0; found = processesUnder(flux.folder)) {
    for (const pid of found) kill(pid);
    await pause(5);
  }
  await flux.kill();
}

interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly isOurs: boolean;
}

/** Everything that runs from a folder, was told of it or was started by such a process; the dead are left out. */
function processesUnder(folder: string): number[] {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => look(pid, folder));
  const ours = new Set(all.filter(({ isOurs }) => isOurs).map(({ pid }) => pid));
  for (let before = -1; before !== ours.size; ) {
    before = ours.size;
    for (const { pid, parent } of all) if (ours.has(parent)) ours.add(pid);
  }
  return [...ours];
}

function look(pid: string, folder: string): Process[] {
  if (Number(pid) === process.pid) return [];
  // A name in brackets may hold spaces and brackets itself: the fields begin behind the last one (proc(5)).
  const [state, parent] = read(() => readFileSync(`/proc/${pid}/stat`, 'latin1'))
    .replace(/^.*\) /s, '')
    .split(' ');
  if (state === undefined || state === '' || state === 'Z' || state === 'X') return [];
  const marks = [
    read(() => readFileSync(`/proc/${pid}/cmdline`, 'latin1')),
    read(() => readFileSync(`/proc/${pid}/environ`, 'latin1')),
    read(() => readlinkSync(`/proc/${pid}/cwd`)),
  ];
  return [{ pid: Number(pid), parent: Number(parent), isOurs: marks.some((mark) => mark.includes(folder)) }];
}

function read(look: () => string): string {
  try {
    return look();
  } catch {
    // It ended between two looks, or is none of ours.
    return '';
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself, or with its parent.
  }
}
