import { setTimeout as sleep } from 'node:timers/promises';
import { isSameProcess } from '../../instances/local/postmaster.ts';
import { signalProcess } from '../../system/process.ts';
import { listProcesses, type ProcessEntry, treeOf } from '../../system/process-table.ts';

/** A fork bomb makes new ones for as long as some of it runs; then those that are known are killed, and looked for again. */
const STOP_ROUNDS = 20;

/**
 * Kills these processes and everything below them, and returns when none of them lives. Never another process: whatever is
 * inside may fork until pids come round again, so a pid counts only together with its time of start.
 *
 * They are stopped before they are killed. A parent that is killed while it makes a child leaves one behind that nobody finds
 * as its own any more, and a sandbox whose maker has died half-way waits for it for ever.
 *
 * @param roots pids of processes that live now
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

/** Stops them from the roots down, until a look at the table of processes finds no new one. A stopped process makes none. */
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
