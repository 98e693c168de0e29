import { isDeepStrictEqual } from 'node:util';
import { FluxError, isFluxError } from '@flux/contract/errors';
import { SessionPlaces } from '../postgres/session-places.ts';
import type { PostgresTarget } from '../postgres/target.ts';
import type { Clock } from '../system/clock.ts';
import type { Log } from '../system/log.ts';
import type { InstanceDriver, RunningServer } from './driver.ts';
import type { InstanceState, InstanceStatus } from './instance.ts';
import { type InstanceRecord, readSecret, writeRecord } from './record.ts';

/** One instance under supervision. Calls on it run one after the other. */
export interface HostedInstance {
  readonly record: InstanceRecord;
  /** Records that it should run, and waits until it answers. */
  start(signal?: AbortSignal): Promise<void>;
  /** Records that it should be stopped, and stops it. */
  stop(): Promise<void>;
  /** Records other settings, and restarts the server with them unless it has them. */
  configure(settings: Readonly<Record<string, string>>, signal?: AbortSignal): Promise<void>;
  /** Stops the server without recording that: it starts again with the control plane. */
  shutdown(): Promise<void>;
  /** Ends supervision; the server continues to run. */
  release(): Promise<void>;
  /** Stops it and deletes everything. */
  remove(): Promise<void>;
  /** Stops it and moves it to the trash, where it is kept from `at` on. */
  discard(at: Date): Promise<void>;
  status(): Promise<InstanceStatus>;
  superuser(database?: string): PostgresTarget;
}

export interface HostOptions<Server extends RunningServer> {
  readonly driver: InstanceDriver<Server>;
  readonly record: InstanceRecord;
  readonly log: Log;
  readonly clock: Clock;
}

/** Pauses before the restarts of a server that ends at once; the last one repeats. */
const PAUSES_MS = [0, 1000, 2000, 4000, 8000, 16_000, 30_000];
/** After running this long, a server gets the first pause again. */
const HEALTHY_MS = 60_000;
const TIDY_MS = 30_000;

/** Why nobody waits any more for a server that is about to become ready: it is left to become ready by itself. */
export const LEFT_RUNNING = new DOMException('The server is left running.', 'AbortError');

/** Starts supervising one instance, without starting its server. */
export async function hostInstance<Server extends RunningServer>(options: HostOptions<Server>): Promise<HostedInstance> {
  const { driver, log, clock } = options;
  const id = options.record.spec.id;
  const places = driver.placesOf(id);
  const password = await readSecret(places.secret);
  const sessions = new SessionPlaces();
  let record = options.record;
  let server: Server | undefined;
  let state: InstanceState = 'stopped';
  let problem: string | null = null;
  let failures = 0;
  let readyAt = 0;
  let retry: NodeJS.Timeout | undefined;
  let queue: Promise<unknown> = Promise.resolve();
  let isReleased = false;
  /** Aborted with the supervision, so that nothing waits for a server that does not become ready. */
  const released = new AbortController();

  const enqueueForInstance = <T>(work: () => Promise<T>): Promise<T> => {
    const turn = queue.then(work, work);
    queue = turn.catch(() => undefined);
    return turn;
  };
  const save = async (change: Partial<InstanceRecord>) => {
    record = { ...record, ...change };
    await writeRecord(places.record, record);
  };

  const launch = async (signal: AbortSignal | undefined) => {
    if (server !== undefined) return;
    released.signal.throwIfAborted();
    clearTimeout(retry);
    if (state !== 'failing') state = 'starting';
    try {
      const running = await driver.launch(
        record,
        password,
        signal === undefined ? released.signal : AbortSignal.any([signal, released.signal]),
      );
      server = running;
      state = 'running';
      problem = null;
      readyAt = performance.now();
      running.ended.addEventListener('abort', () => void enqueueForInstance(() => onDeath(running)), { once: true });
      // The process may have ended between its first answer and the previous line.
      if (running.ended.aborted) void enqueueForInstance(() => onDeath(running));
    } catch (error) {
      state = 'failing';
      problem = error instanceof Error ? error.message : String(error);
      throw error;
    }
  };

  const onDeath = async (dead: Server) => {
    if (server !== dead) return;
    server = undefined;
    if (isReleased || record.desired !== 'running') return;
    if (performance.now() - readyAt > HEALTHY_MS) failures = 0;
    problem = `The server ended unexpectedly: ${await driver.lastWords(id)}`;
    state = failures === 0 ? 'starting' : 'failing';
    log.warn({ instance: id, failures }, 'a Postgres server ended unexpectedly and is being restarted');
    planRestart(true);
  };

  const planRestart = (counts: boolean) => {
    const pause = PAUSES_MS[Math.min(failures, PAUSES_MS.length - 1)] ?? 0;
    failures++;
    clearTimeout(retry);
    retry = setTimeout(() => {
      void enqueueForInstance(async () => {
        if (isReleased || record.desired !== 'running' || server !== undefined) return;
        try {
          if (counts) await save({ restarts: record.restarts + 1, lastRestartAt: clock.now() });
          await launch(undefined);
        } catch (error) {
          log.error({ instance: id, err: error }, 'a Postgres server cannot be started');
          planRestart(false);
        }
      });
    }, pause);
    retry.unref();
  };

  const halt = async () => {
    clearTimeout(retry);
    const running = server;
    server = undefined;
    running?.unwatch();
    // Also a server that this control plane does not know: its start may have been aborted half-way.
    await driver.halt(id, running);
    state = 'stopped';
    problem = null;
    failures = 0;
  };

  // biome-ignore lint/style/noRestrictedGlobals: bounds the log of this one instance for as long as it is supervised.
  const tidyTimer = setInterval(() => {
    driver.tidy(id).catch((error: unknown) => log.warn({ instance: id, err: error }, 'the size of a log cannot be limited'));
  }, TIDY_MS);
  tidyTimer.unref();
  const release = (reason?: DOMException) => {
    isReleased = true;
    released.abort(reason);
    clearTimeout(retry);
    clearInterval(tidyTimer);
    server?.unwatch();
  };

  return {
    get record() {
      return record;
    },
    start: (signal) =>
      enqueueForInstance(async () => {
        if (record.desired !== 'running') await save({ desired: 'running' });
        try {
          await launch(signal);
          if (record.phase === 'making') await save({ phase: 'ready' });
        } catch (error) {
          if (record.phase === 'ready' && !signal?.aborted && !isReleased) planRestart(false);
          throw unavailable(id, error);
        }
      }),
    stop: () =>
      enqueueForInstance(async () => {
        await save({ desired: 'stopped' });
        await halt();
      }),
    configure: (settings, signal) =>
      enqueueForInstance(async () => {
        if (isDeepStrictEqual(record.spec.settings ?? {}, settings)) return;
        await save({ spec: { ...record.spec, settings } });
        if (record.desired !== 'running') return;
        await halt();
        try {
          await launch(signal);
        } catch (error) {
          throw unavailable(id, error);
        }
      }),
    shutdown: () => {
      release();
      return enqueueForInstance(halt);
    },
    release: () => {
      release(LEFT_RUNNING);
      return enqueueForInstance(async () => undefined);
    },
    remove: () => {
      release();
      return enqueueForInstance(async () => {
        await save({ phase: 'removing', desired: 'stopped' }).catch(() => undefined);
        await halt();
        await driver.remove(id);
      });
    },
    discard: (at) => {
      release();
      return enqueueForInstance(async () => {
        await halt();
        await driver.discard(id, at);
      });
    },
    status: async () => {
      const damage = await driver.damageOf(id);
      return {
        id,
        state: damage?.state ?? state,
        major: record.spec.major,
        port: record.port,
        restarts: record.restarts,
        lastRestartAt: record.lastRestartAt,
        problem: damage?.problem ?? problem,
      };
    },
    superuser: (database) => ({ ...driver.targetOf(record, password, server, database), places: sessions }),
  };
}

function unavailable(id: string, error: unknown): unknown {
  if (isFluxError(error) || (error as Error)?.name === 'AbortError') return error;
  return new FluxError('instance_unavailable', `Postgres instance ${id} cannot be started: ${(error as Error).message}`, { cause: error });
}
