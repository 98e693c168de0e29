import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';

/** The addresses of a name, as the system knows them: from its file of hosts too. */
export type LookUp = (name: string) => Promise<readonly string[]>;

/** Node has so many threads unless UV_THREADPOOL_SIZE says another number. Source: the manual of libuv, "Thread pool work scheduling". */
const USUAL_THREADS = 4;

/**
 * How many names of others may be looked up at once. libuv gives lookups half of its threads, rounded up; of these, one is for names of
 * our own: the catalog, the pool, and where copies of backups are.
 */
export function lookupsAtOnce(threads: string | undefined): number {
  const count = Math.min(Math.max(Math.floor(Number(threads ?? USUAL_THREADS)) || 1, 1), 1024);
  return Math.max(1, Math.floor((count + 1) / 2) - 1);
}

/** Who wants a name looked up, and for how long. */
export interface Asking {
  readonly signal?: AbortSignal | undefined;
  /** The account whose turn it takes; all without one take theirs together. */
  readonly by?: string | undefined;
}

interface Waiting {
  readonly name: string;
  readonly by: string;
  join(answer: Promise<readonly string[]>): void;
}

/**
 * Looks up names that others have written. The servers that answer for such a name may be theirs and never answer, and nothing ends a lookup
 * of the system: one that nobody waits for any more still counts, because it still has its thread.
 * Accounts take turns, so that nobody waits for all the names of another one.
 */
export class ForeignLookups {
  readonly #lookUp: LookUp;
  readonly #atOnce: number;
  readonly #running = new Map<string, Promise<readonly string[]>>();
  /** In the order in which they came. */
  readonly #waiting = new Set<Waiting>();
  /** Which accounts that wait have had a turn, the one that had it last at the end. */
  readonly #served = new Set<string>();

  constructor(lookUp: LookUp = lookUpInSystem, atOnce = lookupsAtOnce(process.env.UV_THREADPOOL_SIZE)) {
    this.#lookUp = lookUp;
    this.#atOnce = atOnce;
  }

  /** How many are running or waited for. */
  get size(): number {
    return this.#running.size + this.#waiting.size;
  }

  /** @throws the error of the lookup; the reason of `signal`, also while it waits for others */
  async addressesOf(name: string, { signal, by = '' }: Asking = {}): Promise<readonly string[]> {
    signal?.throwIfAborted();
    if (isIP(name) !== 0) return [name];
    const { promise, resolve, reject } = Promise.withResolvers<readonly string[]>();
    const waiting: Waiting = { name, by, join: (answer) => void answer.then(resolve, reject) };
    const leave = () => {
      this.#waiting.delete(waiting);
      reject(signal?.reason);
    };
    signal?.addEventListener('abort', leave, { once: true });
    this.#waiting.add(waiting);
    this.#admit();
    try {
      return await promise;
    } finally {
      signal?.removeEventListener('abort', leave);
    }
  }

  #admit(): void {
    for (const waiting of this.#inTurn()) {
      const answer = this.#running.get(waiting.name) ?? this.#start(waiting);
      if (answer === undefined) continue;
      this.#waiting.delete(waiting);
      waiting.join(answer);
    }
  }

  #inTurn(): readonly Waiting[] {
    const accounts = new Set([...this.#waiting].map(({ by }) => by));
    for (const by of this.#served) if (!accounts.has(by)) this.#served.delete(by);
    const order = [...this.#served];
    return [...this.#waiting].toSorted((a, b) => order.indexOf(a.by) - order.indexOf(b.by));
  }

  #start({ name, by }: Waiting): Promise<readonly string[]> | undefined {
    if (this.#running.size >= this.#atOnce) return undefined;
    this.#served.delete(by);
    this.#served.add(by);
    const answer = this.#lookUp(name).finally(() => {
      this.#running.delete(name);
      this.#admit();
    });
    this.#running.set(name, answer);
    return answer;
  }
}

async function lookUpInSystem(name: string): Promise<readonly string[]> {
  return (await lookup(name, { all: true })).map(({ address }) => address);
}
