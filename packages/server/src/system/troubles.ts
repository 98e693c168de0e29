import type { Log } from './log.ts';

/** Something that nobody asked for and that could not be done, and why. */
export interface Trouble {
  readonly what: string;
  readonly why: string;
}

/** What upkeep could not do. It is in nobody's way: the log has it when it happens, and doctor tells of it until it has been done. */
export class Troubles {
  readonly #log: Log;
  readonly #open = new Map<string, string>();

  constructor(log: Log) {
    this.#log = log;
  }

  /** Does a piece of upkeep. Never throws. @param what a phrase such as `emptying the trash` */
  async attempt(what: string, work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
      this.#open.delete(what);
    } catch (error) {
      this.#log.error({ err: error }, `${what} failed; it is tried again later`);
      this.#open.set(what, reasonOf(error));
    }
  }

  list(): readonly Trouble[] {
    return [...this.#open].map(([what, why]) => ({ what, why }));
  }
}

const MAX_REASONS = 5;

function reasonOf(error: unknown): string {
  const all = error instanceof AggregateError ? (error.errors as readonly unknown[]) : [error];
  const reasons = all.slice(0, MAX_REASONS).map((each) => (each instanceof Error ? each.message : String(each)));
  if (all.length > MAX_REASONS) reasons.push(`and ${all.length - MAX_REASONS} more`);
  return reasons.join('; ');
}
