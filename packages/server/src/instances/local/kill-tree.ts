import { setTimeout as sleep } from 'node:timers/promises';
import { signalProcess } from '../../system/process.ts';
import { listProcesses, type ProcessEntry, treeOf } from '../../system/process-table.ts';
import { isSameProcess } from './postmaster.ts';

/** A fork bomb creates processes as long as any of them runs; after this time the known ones are killed, and the search starts again. */
const STOP_ROUNDS = 20;
/** How long a process may take until it has stopped. One that waits for a disk does not stop before that answers. */
const STOP_MS = 1000;
/** By a signal, or by somebody who traces it. */
const STOPPED: ReadonlySet<string> = new Set(['T', 't']);

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

/**
 * Stops them from the roots down, until the process table has no new ones. A stopped process cannot fork; but one that was in the middle of a
 * fork when it got the signal still has its child made. So all must have stopped before the last list is begun: a list takes its time.
 */
async function stopTree(roots: readonly number[]): Promise<readonly ProcessEntry[]> {
  const told: ProcessEntry[] = [];
  const deadline = performance.now() + STOP_MS;
  let hadStopped = false;
  for (let round = 1; ; ) {
    const tree = treeOf(await listProcesses(), roots);
    const fresh = tree.filter((entry) => !isIn(told, entry));
    if (fresh.length === 0 && (hadStopped || performance.now() > deadline)) return tree;
    if (fresh.length > 0 && ++round > STOP_ROUNDS) return tree;
    for (const entry of fresh) if (await isSameProcess(entry)) signalProcess(entry.pid, 'SIGSTOP');
    told.push(...fresh);
    hadStopped = fresh.length === 0 && tree.every((entry) => hasStopped(entry, tree));
    if (fresh.length === 0 && !hadStopped) await sleep(1);
  }
}

/** Whether it is stopped, or waits in vfork(2) for a child that is: the kernel stops the parent only after that. */
function hasStopped({ pid, state }: ProcessEntry, tree: readonly ProcessEntry[]): boolean {
  return STOPPED.has(state) || (state === 'D' && tree.some((child) => child.parentPid === pid && STOPPED.has(child.state)));
}

function isIn(entries: readonly ProcessEntry[], wanted: ProcessEntry): boolean {
  return entries.some((entry) => entry.pid === wanted.pid && entry.startTicks === wanted.startTicks);
}
