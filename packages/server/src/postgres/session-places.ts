import { FluxError } from '@flux/contract/errors';
import { Turns } from './turns.ts';

/**
 * How many sessions Flux has on one server at most, its programs (pg_dump, pg_restore) counted in: a quarter of what the server takes, at
 * least 12 and no more than 60. The rest is the users'.
 */
export function sessionsOfFlux(maxConnections: number): number {
  return Math.max(12, Math.min(60, Math.floor(maxConnections / 4)));
}

/** How many pushes run at once where there may be so many sessions: each has one, and another one that looks at its locks. */
function pushesAtOnce(sessions: number): number {
  return Math.max(2, Math.floor(sessions / 6));
}

/** For what takes a moment: a list, a new project, a login, and a look at who is connected. Neither pushes nor dumps nor restores ever have these. */
const FOR_SHORT_WORK = 4;
/** What a dump needs at least: its snapshot, pg_dump, one session that reads beside it, and one that looks at its locks. */
export const SESSIONS_OF_A_DUMP = 4;
/** Before a server has told `max_connections`, its default is assumed. */
const USUAL_MAX_CONNECTIONS = 100;
const WAIT_MS = 30_000;

/** Where sessions of one piece of work take their places. */
export interface Places {
  /**
   * Takes a place, and returns a function that releases it.
   *
   * @throws FluxError `instance_unavailable` when none becomes free in time; the reason of `signal`
   */
  take(signal?: AbortSignal): Promise<() => void>;
  /** Tells what the server said of itself; one that Flux does not run may say anything. */
  learn(maxConnections: number): void;
  /**
   * Reserves places for a dump or a restore, all at once: two that had some each could wait for each other for ever. It waits for as long as
   * `signal` lets it: other such work ends.
   */
  reserve(count: number, signal?: AbortSignal): Promise<ReservedPlaces>;
  /** Adds up to so many places without waiting, and returns how many there are more. */
  grow(count: number): number;
  /** Whose turn it is to run long SQL of users. */
  readonly turns: Turns;
}

/** Places of one dump or restore. */
export interface ReservedPlaces extends Places, Disposable {}

interface Waiting {
  readonly count: number;
  readonly kind: 'short' | 'work';
  readonly admit: () => void;
}

/** The sessions of Flux on one server. Whoever wants another one than there may be waits until one has ended. */
export class SessionPlaces implements Places {
  readonly turns = new Turns(() => pushesAtOnce(this.#limit));
  #limit = sessionsOfFlux(USUAL_MAX_CONNECTIONS);
  #taken = 0;
  /** How many of those are reserved for dumps and restores. */
  #ofWork = 0;
  readonly #waiting: Waiting[] = [];
  readonly #waitMs: number;

  constructor(waitMs = WAIT_MS) {
    this.#waitMs = waitMs;
  }

  /** How many sessions there may be. */
  get limit(): number {
    return this.#limit;
  }

  get taken(): number {
    return this.#taken;
  }

  learn(maxConnections: number): void {
    if (!(maxConnections > 0)) return;
    this.#limit = sessionsOfFlux(maxConnections);
    this.#admit();
  }

  async take(signal?: AbortSignal): Promise<() => void> {
    await this.#take({ count: 1, kind: 'short' }, signal, this.#waitMs);
    return once(() => this.#give(1, 'short'));
  }

  async reserve(count: number, signal?: AbortSignal): Promise<ReservedPlaces> {
    await this.#take({ count, kind: 'work' }, signal, undefined);
    return this.#reserved(count);
  }

  grow(count: number): number {
    return count;
  }

  #reserved(reserved: number): ReservedPlaces {
    const parent = this;
    let size = reserved;
    let used = 0;
    const waiting: (() => void)[] = [];
    const give = () => {
      const next = waiting.shift();
      if (next === undefined) used -= 1;
      else next();
    };
    return {
      turns: parent.turns,
      learn: (maxConnections) => parent.learn(maxConnections),
      reserve: (count, signal) => parent.reserve(count, signal),
      grow(count) {
        let more = 0;
        // What another one needs stays.
        while (more < count && parent.#fits({ count: 1 + SESSIONS_OF_A_DUMP, kind: 'work' })) {
          parent.#add(1, 'work');
          size += 1;
          more += 1;
        }
        return more;
      },
      async take(signal) {
        if (used < size) used += 1;
        else await waitIn(waiting, signal, parent.#waitMs, parent.#limit);
        return once(give);
      },
      [Symbol.dispose]: once(() => parent.#give(size, 'work')),
    };
  }

  #fits({ count, kind }: Pick<Waiting, 'count' | 'kind'>): boolean {
    if (this.#taken + count > this.#limit) return false;
    return kind === 'short' || this.#ofWork + count <= this.#limit - FOR_SHORT_WORK - 2 * pushesAtOnce(this.#limit);
  }

  async #take(wanted: Pick<Waiting, 'count' | 'kind'>, signal: AbortSignal | undefined, waitMs: number | undefined): Promise<void> {
    signal?.throwIfAborted();
    if (this.#fits(wanted) && !this.#waiting.some(({ kind }) => kind === wanted.kind)) return this.#add(wanted.count, wanted.kind);
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiting: Waiting = { ...wanted, admit: resolve };
    this.#waiting.push(waiting);
    await waitFor(promise, signal, waitMs, this.#limit, () => remove(this.#waiting, waiting));
  }

  #add(count: number, kind: Waiting['kind']): void {
    this.#taken += count;
    if (kind === 'work') this.#ofWork += count;
  }

  #give(count: number, kind: Waiting['kind']): void {
    this.#add(-count, kind);
    this.#admit();
  }

  /** In their order, except that what takes a moment does not wait for what takes long. */
  #admit(): void {
    const blocked = new Set<Waiting['kind']>();
    for (const waiting of [...this.#waiting]) {
      if (!this.#fits(waiting)) blocked.add(waiting.kind);
      if (blocked.has(waiting.kind)) continue;
      remove(this.#waiting, waiting);
      this.#add(waiting.count, waiting.kind);
      waiting.admit();
    }
  }
}

async function waitIn(list: (() => void)[], signal: AbortSignal | undefined, waitMs: number, limit: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  list.push(resolve);
  await waitFor(promise, signal, waitMs, limit, () => remove(list, resolve));
}

async function waitFor(
  admitted: Promise<void>,
  signal: AbortSignal | undefined,
  waitMs: number | undefined,
  limit: number,
  leave: () => void,
): Promise<void> {
  const given = Promise.withResolvers<never>();
  const abort = () => given.reject(signal?.reason);
  const timer = waitMs === undefined ? undefined : setTimeout(() => given.reject(noPlace(limit)), waitMs);
  signal?.addEventListener('abort', abort, { once: true });
  try {
    await Promise.race([admitted, given.promise]);
  } catch (error) {
    leave();
    throw error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', abort);
  }
}

function remove<T>(list: T[], item: T): void {
  const at = list.indexOf(item);
  if (at >= 0) list.splice(at, 1);
}

function once(work: () => void): () => void {
  let isDone = false;
  return () => {
    if (isDone) return;
    isDone = true;
    work();
  };
}

function noPlace(limit: number): FluxError {
  return new FluxError('instance_unavailable', `Flux has ${limit} sessions on this server, which is as many as it may have.`, {
    hint: 'Run the command again when other work has ended. The bound is a quarter of max_connections of the server, and at least 12.',
    details: { retryAfterSeconds: 30 },
  });
}
