import type Docker from 'dockerode';
import { DISPOSABLE_DATA } from '../../instances/docker/scripts.ts';
import type { DisposableLimits, LimitExceeded } from '../provider.ts';
import { runInside } from './server.ts';

const INTERVAL_MS = 500;
/** A program inside can prevent the measurement of its disk; after this many rounds without a result the limit counts as exceeded. */
const MAX_UNMEASURED = 5;
const MEASURE_MS = 10_000;

/** Watches the limits that the kernel does not enforce, and the time. */
export interface Watchdog {
  /** Measures now, without waiting for the next round. */
  look(): Promise<void>;
  stop(): void;
}

/**
 * @param isOnDisk the data is in a volume, which has no limit of its own
 * @param onExceeded called once, for the first exceeded limit
 */
export function startWatchdog(
  container: Docker.Container,
  limits: DisposableLimits,
  isOnDisk: boolean,
  onExceeded: (limit: LimitExceeded) => void,
): Watchdog {
  let isStopped = false;
  let unmeasured = 0;
  let timer: NodeJS.Timeout | undefined;
  const stop = () => {
    isStopped = true;
    clearTimeout(timer);
    clearTimeout(wallClock);
  };
  const exceed = (limit: LimitExceeded) => {
    if (isStopped) return;
    stop();
    onExceeded(limit);
  };
  const wallClock = setTimeout(() => {
    exceed({ limit: 'time', message: `it took longer than ${limits.wallClockMs / 1000} seconds` });
  }, limits.wallClockMs);
  wallClock.unref();

  const look = async () => {
    const [facts, stats] = await Promise.all([container.inspect(), container.stats({ stream: false, 'one-shot': true })]);
    if ((stats.pids_stats?.current ?? 0) > limits.processes)
      return exceed({ limit: 'processes', message: `it ran more than ${limits.processes} processes` });
    if (!isOnDisk || !facts.State.Running) return;
    const bytes = await measureDisk(container);
    unmeasured = bytes === undefined ? unmeasured + 1 : 0;
    if (unmeasured >= MAX_UNMEASURED) return exceed({ limit: 'disk', message: 'its disk usage could no longer be measured' });
    if ((bytes ?? 0) > limits.diskBytes)
      exceed({ limit: 'disk', message: `it wrote more than ${Math.round(limits.diskBytes / 2 ** 20)} MiB` });
  };
  const round = async () => {
    // A container that has just ended cannot be measured, and does not have to be.
    await look().catch(() => undefined);
    if (!isStopped) timer = setTimeout(round, INTERVAL_MS).unref();
  };
  timer = setTimeout(round, INTERVAL_MS).unref();
  return { look: () => (isStopped ? Promise.resolve() : look().catch(() => undefined)), stop };
}

/** Undefined without an answer that could be parsed. */
async function measureDisk(container: Docker.Container): Promise<number | undefined> {
  const tooLate = new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), MEASURE_MS).unref());
  // Files that vanish meanwhile make it print errors and exit with 1; its sum is still correct.
  const answer = await Promise.race([runInside(container, ['du', '-sk', DISPOSABLE_DATA], {}).catch(() => undefined), tooLate]);
  const kibibytes = /^(\d+)\s/.exec(answer?.stdout ?? '')?.[1];
  return kibibytes === undefined ? undefined : Number(kibibytes) * 1024;
}
