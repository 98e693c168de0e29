import type { Log } from '../../system/log.ts';
import { hostMemory, neededBytes, possibleMemoryBytes } from '../memory.ts';
import type { DisposableLimits, DisposableRequest } from '../provider.ts';
import type { StandingServer } from './standing-server.ts';

/** Servers that are started before a verification needs one; at most one per major version. */
export interface Standby {
  /** Keeps one of this major version ready from now on. Returns at once. */
  keep(major: number, limits: DisposableLimits): void;
  /** Returns a matching one, if there is one; from then on it belongs to the caller. */
  take(request: DisposableRequest, reservedBytes: number, fits: (server: StandingServer) => boolean): Promise<StandingServer | undefined>;
  /** Starts a replacement in the background. Call when the one that was taken has been removed. */
  renew(): void;
  close(): Promise<void>;
}

/** An instance that is not requested during this time is removed; the next verification then starts its own. */
const IDLE_MS = 30 * 60_000;
const POLL_EVERY_MS = 30_000;
/** Below this share of free memory on the host no server is kept ready. */
const MEMORY_FLOOR = 0.15;

/** @param start starts a server in memory; undefined when there is not enough memory */
export function createStandby(
  start: (major: number, limits: DisposableLimits, signal: AbortSignal) => Promise<StandingServer | undefined>,
  log: Log,
): Standby {
  const wanted = new Map<number, DisposableLimits>();
  const ready = new Map<number, StandingServer>();
  const making = new Map<number, Promise<void>>();
  const closing = new AbortController();
  let usedAt = performance.now();
  let timer: NodeJS.Timeout | undefined;

  const make = async (major: number, limits: DisposableLimits) => {
    try {
      if (await isMemoryShort()) return;
      const server = await start(major, limits, closing.signal);
      if (server === undefined) return;
      ready.set(major, server);
      server.gone.addEventListener('abort', () => ready.get(major) === server && ready.delete(major), { once: true });
    } catch (error) {
      // It would only have saved time: a verification starts its own, and reports why that fails.
      if (!closing.signal.aborted) log.warn({ err: error, major }, 'no disposable Postgres could be started in advance');
    }
  };
  const renew = () => {
    if (closing.signal.aborted) return;
    for (const [major, limits] of wanted) {
      if (ready.has(major) || making.has(major)) continue;
      making.set(
        major,
        make(major, limits).finally(() => making.delete(major)),
      );
    }
  };
  const look = async () => {
    if (performance.now() - usedAt < IDLE_MS && !(await isMemoryShort())) return;
    await Promise.all([...ready.values()].map((server) => server.dispose()));
  };

  return {
    keep(major, limits) {
      wanted.set(major, limits);
      // biome-ignore lint/style/noRestrictedGlobals: an idle server must go whether or not a worker runs here.
      timer ??= setInterval(
        () => void look().catch((error) => log.warn({ err: error }, 'a disposable Postgres was not removed')),
        POLL_EVERY_MS,
      );
      timer.unref();
      renew();
    },
    async take(request, reservedBytes, fits) {
      usedAt = performance.now();
      // One that is already starting is ready sooner than a new one.
      await making.get(request.major);
      request.signal.throwIfAborted();
      const possible = await possibleMemoryBytes(request.limits, reservedBytes);
      const server = ready.get(request.major);
      if (server === undefined || server.gone.aborted) return undefined;
      const needed = neededBytes(request.expectedBytes);
      if (needed > possible || needed > (server.setting.memoryBytes ?? 0)) return undefined;
      if (!isSame(server.setting.limits, request.limits) || !fits(server)) return undefined;
      ready.delete(request.major);
      return server;
    },
    renew,
    async close() {
      closing.abort(new Error('the control plane is stopping'));
      clearInterval(timer);
      await Promise.all(making.values());
      await Promise.all([...ready.values()].map((server) => server.dispose()));
    },
  };
}

/** Its time begins to count when it is assigned, with the limit of the request. */
function isSame(a: DisposableLimits, b: DisposableLimits): boolean {
  return a.memoryBytes === b.memoryBytes && a.diskBytes === b.diskBytes && a.processes === b.processes;
}

async function isMemoryShort(): Promise<boolean> {
  const { availableBytes, totalBytes } = await hostMemory();
  return availableBytes < totalBytes * MEMORY_FLOOR;
}
