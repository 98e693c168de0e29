import { readFile } from 'node:fs/promises';
import { writeFileAtomically } from './atomic-file.ts';
import type { Clock } from './clock.ts';

/** A difference from what was expected that is no leap: a machine that was off for a while, a correction by NTP. */
const TOLERANCE_MS = 3_600_000;
/** After a leap ahead nothing expires for as long as the leap, and at most for this long. */
const LONGEST_WAIT_MS = 86_400_000;

/**
 * The time by which something may expire. It follows the clock of the machine, except after a leap ahead: a wrong clock must not remove
 * what cannot be brought back. It then advances with the uptime alone, until the clock has stood by its leap for as long as it was, or
 * for a day.
 */
export class ExpiryTime {
  #trusted: number;
  /** The latest time that was ever trusted. */
  #latest: number;
  #seenUptimeMs: number;
  #leapMs = 0;
  /** How much longer the clock must stand by its leap. */
  #waitMs = 0;

  /**
   * @param last the time that was trusted when the process before this one was last heard of; undefined at the first start
   * @param latest the latest time that was trusted before; `last` when absent
   */
  constructor(last: Date | undefined, wall: Date, uptimeMs: number, latest = last) {
    this.#trusted = last?.getTime() ?? wall.getTime();
    this.#latest = latest?.getTime() ?? this.#trusted;
    this.#seenUptimeMs = uptimeMs;
    this.observe(wall, uptimeMs);
  }

  /** @param uptimeMs of a clock that cannot be set, such as `performance.now()` */
  observe(wall: Date, uptimeMs: number): Date {
    const passedMs = Math.max(0, uptimeMs - this.#seenUptimeMs);
    this.#seenUptimeMs = uptimeMs;
    const expected = this.#trusted + passedMs;
    const aheadMs = wall.getTime() - expected;
    // A clock that was put back and then right again has not leapt: that time was trusted before.
    if (aheadMs <= TOLERANCE_MS || wall.getTime() - this.#latest <= TOLERANCE_MS) {
      this.#waitMs = 0;
      this.#trusted = wall.getTime();
    } else {
      // A second leap during the wait begins it again.
      const isKnown = this.#waitMs > 0 && aheadMs <= this.#leapMs + TOLERANCE_MS;
      if (!isKnown) {
        this.#leapMs = aheadMs;
        this.#waitMs = Math.min(aheadMs, LONGEST_WAIT_MS);
      } else this.#waitMs -= passedMs;
      this.#trusted = this.#waitMs > 0 ? expected : wall.getTime();
    }
    this.#latest = Math.max(this.#latest, this.#trusted);
    return new Date(this.#trusted);
  }

  /** The latest time that was ever trusted: it does not go back with the clock. */
  get latest(): Date {
    return new Date(this.#latest);
  }

  /** By how much the clock is ahead of what is trusted, in milliseconds; 0 when it is trusted. */
  get distrustedMs(): number {
    return this.#waitMs > 0 ? this.#leapMs : 0;
  }
}

/** A clock for expiry that remembers over restarts what time it was. */
export interface ExpiryClock extends Clock {
  /** By how much the clock of the machine is ahead of what is trusted, in milliseconds; 0 when it is trusted. */
  distrustedMs(): number;
  /**
   * The later of the time of the machine and the latest time that was ever trusted. What gives rights expires by it: a clock that goes back
   * must not give them again. What is kept for a time is kept from it on: by a clock that is behind it would be deleted once that is right
   * again. It stands still while the clock is behind.
   */
  latest(): Date;
  /** By how much the clock of the machine is behind a time that was trusted before, in milliseconds; 0 when it is not. */
  behindMs(): number;
  /** Writes down what time it is. Call it every minute. */
  remember(): Promise<void>;
}

/** @param path the file in which the last trusted time is kept; one that cannot be read counts as none */
export async function openExpiryClock(path: string, clock: Clock): Promise<ExpiryClock> {
  const text = await readFile(path, 'utf8').catch(() => '');
  const [last, before = last] = text.split('\n').flatMap((line) => {
    const at = Date.parse(line.trim());
    return Number.isNaN(at) ? [] : [new Date(at)];
  });
  const time = new ExpiryTime(last, clock.now(), performance.now(), before);
  const now = () => time.observe(clock.now(), performance.now());
  const latest = () => {
    now();
    return new Date(Math.max(clock.now().getTime(), time.latest.getTime()));
  };
  return {
    now,
    distrustedMs: () => time.distrustedMs,
    latest,
    behindMs: () => {
      const behind = latest().getTime() - clock.now().getTime();
      return behind > TOLERANCE_MS ? behind : 0;
    },
    remember: () => writeFileAtomically(path, `${now().toISOString()}\n${time.latest.toISOString()}\n`),
  };
}
