import { setTimeout as sleep } from 'node:timers/promises';
import { signalProcess } from '../../system/process.ts';
import { listProcesses, type ProcessEntry, treeOf } from '../../system/process-table.ts';
import { isSameProcess } from './postmaster.ts';

/** A fork bomb creates processes as long as any of them runs; after this time the known ones are killed, and the search starts again. */
const STOP_ROUNDS = 20;

/**
 * Kills these processes and all their descendants, and returns when none of them is alive. It never kills another process: the programs
 * may fork until pids are reused, so a process is identified by its pid and its start time.
 *
 * They are stopped before they are killed. A parent that is killed while it forks leaves a child behind that can no longer be found
 * through it, and a sandbox whose creator was killed half-way waits for it forever.
 *
 * @param roots pids of live processes
 */
export async function killTree(roots: readonly number[]): Promise<void> {
  let tree = await stopTree(roots);
  while (tree.length > 0) {
    for (const entry of tree) if (await isSameProcess(entry)) signalProcess(entry.pid, 'SIGKILL');
    await sleep(3);
    const entries = await listProcesses();
    const living = tree.filter((entry) => isIn(entries, entry));
    tree = treeOf(
      entries,
      living.map((entry) => entry.pid),
    );
  }
}

/** Stops them from the roots down, until the process table has no new ones. A stopped process cannot fork. */
async function stopTree(roots: readonly number[]): Promise<readonly ProcessEntry[]> {
  const stopped: ProcessEntry[] = [];
  for (let round = 1; ; round += 1) {
    const tree = treeOf(await listProcesses(), roots);
    const fresh = tree.filter((entry) => !isIn(stopped, entry));
    if (fresh.length === 0 || round > STOP_ROUNDS) return tree;
    for (const entry of fresh) if (await isSameProcess(entry)) signalProcess(entry.pid, 'SIGSTOP');
    stopped.push(...fresh);
  }
}

function isIn(entries: readonly ProcessEntry[], wanted: ProcessEntry): boolean {
  return entries.some((entry) => entry.pid === wanted.pid && entry.startTicks === wanted.startTicks);
}
