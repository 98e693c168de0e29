import { setTimeout as sleep } from 'node:timers/promises';
import { signalProcess } from '../../system/process.ts';
import { listProcesses, type ProcessEntry, treeOf } from '../../system/process-table.ts';
import { isSameProcess } from './postmaster.ts';

/**
 * Kills these processes and everything below them, and returns when none of them lives. Never another process: whatever is
 * inside may fork until pids come round again, so a pid counts only together with its time of start.
 *
 * @param roots pids of processes that live now
 */
export async function killTree(roots: readonly number[]): Promise<void> {
  let entries = await listProcesses();
  let tree = treeOf(entries, roots);
  while (tree.length > 0) {
    for (const entry of tree) if (await isSameProcess(entry)) signalProcess(entry.pid, 'SIGKILL');
    await sleep(3);
    entries = await listProcesses();
    const living = tree.filter((entry) => isIn(entries, entry));
    tree = treeOf(
      entries,
      living.map((entry) => entry.pid),
    );
  }
}

function isIn(entries: readonly ProcessEntry[], wanted: ProcessEntry): boolean {
  return entries.some((entry) => entry.pid === wanted.pid && entry.startTicks === wanted.startTicks);
}
