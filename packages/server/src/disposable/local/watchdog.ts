import { lstat, readdir, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { listProcesses, memoryOf, type ProcessEntry, treeOf } from '../../system/process-table.ts';
import { hostMemory } from '../memory.ts';
import type { DisposableLimits, LimitExceeded } from '../provider.ts';

/** What the watchdog looks at. */
export interface Watched {
  readonly limits: DisposableLimits;
  /** Outermost processes of everything that belongs to the instance, as they are now. */
  roots(): readonly number[];
  /** Processes that are not the tenant's but the sandbox's own, for each root. */
  readonly overheadPerRoot: number;
  /** Data in memory: its path as seen inside. Data on disk: its folder on the host. */
  readonly data:
    | { readonly kind: 'memory'; readonly pathInside: string; readonly bytes: number }
    | { readonly kind: 'disk'; readonly folder: string };
  /** The server's log. */
  readonly logPath: string;
  /** Called once, for the first bound that is exceeded. */
  onExceeded(exceeded: LimitExceeded): void;
}

export interface Watchdog {
  /** Measures now, without waiting for the next round. */
  look(): Promise<void>;
  stop(): void;
}

const INTERVAL_MS = 100;
/** A program inside may write to the server's log, which is on the disk of the host. */
const MAX_LOG_BYTES = 64 * 2 ** 20;
/** A file that holds nothing takes this much all the same: of the disk's tables, or of the kernel's memory. */
const EMPTY_FILE_ON_DISK = 4096;
const EMPTY_FILE_IN_MEMORY = 1024;
/** Below this share of the host's memory a sandbox is ended whatever it seems to hold: not all kinds of memory show. */
const HOST_MEMORY_FLOOR = 0.03;

/**
 * Measures the whole of a disposable instance again and again and tells of the first bound that it exceeds. What can grow
 * fast is bounded by the kernel as well (each process's address space, their number, the size of folders in memory).
 */
export function startWatchdog(watched: Watched): Watchdog {
  const { limits } = watched;
  let isStopped = false;
  let timer: NodeJS.Timeout | undefined;
  const exceed = (exceeded: LimitExceeded) => {
    if (isStopped) return;
    stop();
    watched.onExceeded(exceeded);
  };
  const wallClock = setTimeout(() => {
    exceed({ limit: 'time', message: `it took longer than ${limits.wallClockMs / 1000} seconds` });
  }, limits.wallClockMs);
  wallClock.unref();
  const stop = () => {
    isStopped = true;
    clearTimeout(timer);
    clearTimeout(wallClock);
  };

  const look = async () => {
    const roots = watched.roots();
    const tree = treeOf(await listProcesses(), roots);
    const count = tree.length - roots.length * watched.overheadPerRoot;
    if (count > limits.processes) return exceed({ limit: 'processes', message: `it ran more than ${limits.processes} processes` });
    const inMemory = watched.data.kind === 'memory' ? await usedInside(tree, watched.data.pathInside) : 0;
    const memory = inMemory + (await memoryOfTree(tree));
    if (memory > limits.memoryBytes)
      return exceed({ limit: 'memory', message: `it used more than ${mebibytes(limits.memoryBytes)} of memory` });
    if (await isHostShortOfMemory()) return exceed({ limit: 'memory', message: 'the memory of the host ran low' });
    const logBytes = await lstat(watched.logPath).then(
      (facts) => facts.size,
      () => 0,
    );
    if (logBytes > MAX_LOG_BYTES) return exceed({ limit: 'disk', message: `it wrote more than ${mebibytes(MAX_LOG_BYTES)} into its log` });
    const onDisk = watched.data.kind === 'disk' ? await sizeOf(watched.data.folder) : inMemory;
    if (onDisk > limits.diskBytes) return exceed({ limit: 'disk', message: `it wrote more than ${mebibytes(limits.diskBytes)}` });
    if (watched.data.kind === 'memory' && inMemory > watched.data.bytes * 0.98)
      exceed({ limit: 'disk', message: `it used up the ${mebibytes(watched.data.bytes)} of memory that its disk may take` });
  };

  const round = async () => {
    const started = performance.now();
    // A process or a file that vanishes while we look is no news; the next round looks again.
    await look().catch(() => undefined);
    // Walking a large data folder takes its time; it must not take all of it.
    if (!isStopped) timer = setTimeout(round, Math.max(INTERVAL_MS, (performance.now() - started) * 4)).unref();
  };
  timer = setTimeout(round, INTERVAL_MS).unref();
  return { look: () => (isStopped ? Promise.resolve() : look().catch(() => undefined)), stop };
}

/** Own memory of all, and the shared memory once: every process of a server maps the same. */
async function memoryOfTree(tree: readonly ProcessEntry[]): Promise<number> {
  const all = await Promise.all(tree.map((entry) => memoryOf(entry.pid)));
  return all.reduce((sum, one) => sum + one.ownBytes, 0) + Math.max(0, ...all.map((one) => one.sharedBytes));
}

/** Bytes used in a file system that only exists inside; seen through the root folder of any process in there. */
async function usedInside(tree: readonly ProcessEntry[], pathInside: string): Promise<number> {
  // The innermost last: the first ones of the tree stand outside.
  for (const entry of tree.toReversed().filter((process) => process.name === 'postgres')) {
    const facts = await statfs(`/proc/${entry.pid}/root${pathInside}`).catch(() => undefined);
    if (facts !== undefined) return (facts.blocks - facts.bfree) * facts.bsize + (facts.files - facts.ffree) * EMPTY_FILE_IN_MEMORY;
  }
  return 0;
}

async function sizeOf(folder: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) bytes += await sizeOf(path);
    // Blocks, not length: a file with holes occupies less than it is long.
    else
      bytes += await lstat(path).then(
        (facts) => Math.max(facts.blocks * 512, EMPTY_FILE_ON_DISK),
        () => 0,
      );
  }
  return bytes;
}

async function isHostShortOfMemory(): Promise<boolean> {
  const { availableBytes, totalBytes } = await hostMemory();
  return availableBytes < totalBytes * HOST_MEMORY_FLOOR;
}

function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}
