import { FluxError } from '@flux/contract/errors';

/**
 * How many sessions Flux has on one server at most: a quarter of what the server takes, and no more than 60. The rest is the users'. A dump has
 * up to six of them.
 */
export function sessionsOfFlux(maxConnections: number): number {
  return Math.max(6, Math.min(60, Math.floor(maxConnections / 4)));
}

/** Before a server has told `max_connections`, its default is assumed. */
const USUAL_MAX_CONNECTIONS = 100;
const WAIT_MS = 30_000;

/** The sessions of Flux on one server. Whoever wants another one than there may be waits until one has ended. */
export class SessionPlaces {
  #limit = sessionsOfFlux(USUAL_MAX_CONNECTIONS);
  #taken = 0;
  readonly #waiting: (() => void)[] = [];
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

  /** Tells what the server said of itself; one that Flux does not run may say anything. */
  learn(maxConnections: number): void {
    if (!(maxConnections > 0)) return;
    this.#limit = sessionsOfFlux(maxConnections);
    this.#admit();
  }

  /**
   * Takes a place, and returns what gives it back.
   *
   * @throws FluxError `instance_unavailable` when none becomes free in time; the reason of `signal`
   */
  async take(signal?: AbortSignal): Promise<() => void> {
    if (this.#taken < this.#limit) this.#taken += 1;
    else await this.#wait(signal);
    let isGiven = false;
    return () => {
      if (isGiven) return;
      isGiven = true;
      this.#taken -= 1;
      this.#admit();
    };
  }

  #wait(signal: AbortSignal | undefined): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const leave = (error: unknown) => {
      const at = this.#waiting.indexOf(admit);
      if (at >= 0) this.#waiting.splice(at, 1);
      reject(error);
    };
    const abort = () => leave(signal?.reason);
    const timer = setTimeout(() => leave(noPlace(this.#limit)), this.#waitMs);
    const admit = () => {
      this.#taken += 1;
      resolve();
    };
    this.#waiting.push(admit);
    signal?.addEventListener('abort', abort, { once: true });
    return promise.finally(() => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    });
  }

  #admit(): void {
    while (this.#taken < this.#limit && this.#waiting.length > 0) this.#waiting.shift()?.();
  }
}

function noPlace(limit: number): FluxError {
  return new FluxError('instance_unavailable', `Flux has ${limit} sessions on this server, which is as many as it may have.`, {
    hint: 'Run the command again when other work has ended. The bound is a quarter of max_connections of the server.',
  });
}
