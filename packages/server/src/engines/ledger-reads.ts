import { FluxError } from '@flux/contract/errors';
import type { EngineProject } from './engine.ts';

/** How many readings there may be at once: each may take as much memory as a ledger may have. */
const AT_ONCE = { ofProject: 2, ofOwner: 4 };
const MAX_WAITING = 20;
const WAIT_MS = 10_000;

interface Queue {
  running: number;
  readonly waiting: (() => void)[];
}

/**
 * The readings of ledgers for requests. A ledger is a table that the owner of its project fills, and anybody with a token of the project
 * may ask for it as often as he likes; so they are counted by project, and by owner, who may have many projects.
 */
export class LedgerReads {
  readonly #queues = new Map<string, Queue>();
  readonly #waitMs: number;

  constructor(waitMs = WAIT_MS) {
    this.#waitMs = waitMs;
  }

  /** How many projects and owners are counted now. */
  get size(): number {
    return this.#queues.size;
  }

  /**
   * Runs a reading when it is its turn.
   *
   * @throws FluxError `rate_limited` with `retryAfterSeconds` when that takes too long, or too many wait; the reason of `signal`
   */
  async run<T>({ id, ownerId }: Pick<EngineProject, 'id' | 'ownerId'>, signal: AbortSignal, read: () => Promise<T>): Promise<T> {
    // First that of the project: one whose server is slow then leaves places of its owner to the others.
    return await this.#inTurn(`project ${id}`, AT_ONCE.ofProject, signal, () =>
      this.#inTurn(`owner ${ownerId}`, AT_ONCE.ofOwner, signal, read),
    );
  }

  async #inTurn<T>(key: string, atOnce: number, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    const queue = this.#queues.get(key) ?? { running: 0, waiting: [] };
    this.#queues.set(key, queue);
    if (queue.running < atOnce) queue.running += 1;
    else if (queue.waiting.length >= MAX_WAITING) throw tooMany();
    else await waitIn(queue.waiting, this.#waitMs, signal);
    try {
      return await work();
    } finally {
      const next = queue.waiting.shift();
      if (next !== undefined) next();
      else queue.running -= 1;
      if (queue.running === 0) this.#queues.delete(key);
    }
  }
}

/** Resolves when one that ends hands its place on. */
async function waitIn(waiting: (() => void)[], waitMs: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const leave = (reason: unknown) => {
    const at = waiting.indexOf(resolve);
    // One that was given a place just now keeps it.
    if (at < 0) return;
    waiting.splice(at, 1);
    reject(reason);
  };
  const abort = () => leave(signal.reason);
  const late = setTimeout(() => leave(tooMany()), waitMs);
  signal.addEventListener('abort', abort, { once: true });
  waiting.push(resolve);
  try {
    await promise;
  } finally {
    clearTimeout(late);
    signal.removeEventListener('abort', abort);
  }
}

function tooMany(): FluxError {
  return new FluxError('rate_limited', 'Too many requests for lists of migrations of this project, or of its owner, are being answered.', {
    hint: 'Run the command again in a few seconds, and ask for one list at a time.',
    details: { retryAfterSeconds: 5 },
  });
}
