import { FluxError } from '@flux/contract/errors';

/** A place among those who run long SQL of users on one server. */
export interface Turn extends Disposable {
  /** Aborted, with a FluxError, when others need the place: whoever has it must end. */
  readonly ended: AbortSignal;
}

interface Running {
  readonly by: string;
  readonly since: number;
  readonly end: AbortController;
}

interface Waiting {
  readonly by: string;
  start(turn: Running): void;
}

/** How long a turn is one's own, and how long is waited for one, in milliseconds. */
export interface TurnTimes {
  readonly ownMs: number;
  readonly waitMs: number;
}

const TIMES: TurnTimes = { ownMs: 3000, waitMs: 15_000 };

/**
 * Who may run long SQL of users on one server, and how many at once. When all places are taken and another one waits, one that has had its
 * time is ended: of whoever has most of them, the one that began last. The half that has run for longest is never ended, so that honest long
 * work comes to its end, and the other half serves whoever comes, however many never end by themselves.
 */
export class Turns {
  readonly #size: () => number;
  readonly #times: TurnTimes;
  /** In the order of their beginning. */
  readonly #running = new Set<Running>();
  readonly #waiting: Waiting[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(size: () => number, times: TurnTimes = TIMES) {
    this.#size = size;
    this.#times = times;
  }

  /**
   * @param by whose share it takes
   * @throws FluxError `instance_unavailable` with `retryAfterSeconds` when there is none in time; the reason of `signal`
   */
  async take(by: string, signal?: AbortSignal): Promise<Turn> {
    signal?.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<Running>();
    const waiting: Waiting = { by, start: resolve };
    const leave = (error: unknown) => {
      const at = this.#waiting.indexOf(waiting);
      if (at >= 0) this.#waiting.splice(at, 1);
      reject(error);
    };
    const abort = () => leave(signal?.reason);
    const timer = setTimeout(() => leave(allTaken(this.#size())), this.#times.waitMs);
    signal?.addEventListener('abort', abort, { once: true });
    this.#waiting.push(waiting);
    this.#admit();
    try {
      const running = await promise;
      return {
        ended: running.end.signal,
        [Symbol.dispose]: () => {
          if (this.#running.delete(running)) this.#admit();
        },
      };
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    }
  }

  #admit(): void {
    clearTimeout(this.#timer);
    while (this.#waiting.length > 0) {
      if (this.#running.size >= this.#size()) {
        const victim = this.#victim();
        if (victim === undefined) break;
        this.#running.delete(victim);
        victim.end.abort(displaced(performance.now() - victim.since));
      }
      // Whoever has fewest comes first, then whoever has waited longest.
      const counts = this.#waiting.map(({ by }) => this.#countOf(by));
      const [next] = this.#waiting.splice(counts.indexOf(Math.min(...counts)), 1);
      if (next === undefined) break;
      const running: Running = { by: next.by, since: performance.now(), end: new AbortController() };
      this.#running.add(running);
      next.start(running);
    }
    if (this.#waiting.length === 0) return;
    const due = Math.min(...this.#endable().map(({ since }) => since + this.#times.ownMs - performance.now()));
    if (Number.isFinite(due)) this.#timer = setTimeout(() => this.#admit(), Math.max(1, due + 1));
  }

  #countOf(by: string): number {
    return [...this.#running].filter((running) => running.by === by).length;
  }

  #endable(): Running[] {
    return [...this.#running].slice(Math.floor(this.#size() / 2));
  }

  #victim(): Running | undefined {
    const now = performance.now();
    return this.#endable()
      .filter(({ since }) => now - since >= this.#times.ownMs)
      .toSorted((a, b) => this.#countOf(a.by) - this.#countOf(b.by) || a.since - b.since)
      .at(-1);
  }
}

function allTaken(size: number): FluxError {
  return new FluxError('instance_unavailable', `${size} pushes run on this server at once, which is as many as may.`, {
    hint: 'Nothing was applied. Run the command again when others have ended.',
    details: { retryAfterSeconds: 15 },
  });
}

function displaced(ranMs: number): FluxError {
  return new FluxError(
    'instance_unavailable',
    `The push was ended after ${Math.round(ranMs / 1000)} s: others waited, and as many long ones as may run on this server had begun before it.`,
    {
      hint: 'Nothing of this file was applied. Run the command again when others have ended, or push less at once.',
      details: { retryAfterSeconds: 60 },
    },
  );
}
