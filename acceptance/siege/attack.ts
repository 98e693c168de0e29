import { it } from 'vitest';
import { type AttackRecord, writeSiegeChapter } from './record.ts';

/** Declares an attack as a test. It throws when the bound does not hold, and returns what was seen, in a few words. */
export type DeclareAttack = (attack: string, bound: string, run: () => Promise<string>, options?: AttackOptions) => void;

/** How long the test may take, or what vitest knows as well, such as why it is left out on this host. */
export type AttackOptions = number | { readonly timeout?: number; readonly skip?: boolean; readonly meta?: { readonly leftOut: string } };

/**
 * Begins a chapter of `docs/siege.md`; one for each file of tests, so that a run of the file replaces it. Every attack is written down as
 * soon as it is declared: one that fails or is left out stays on the page, as one that did not hold.
 */
export function siegeChapter(title: string): DeclareAttack {
  const attacks: AttackRecord[] = [];
  writeSiegeChapter({ title, attacks });
  return (attack, bound, run, options = {}) => {
    const at = attacks.push({ attack, bound }) - 1;
    writeSiegeChapter({ title, attacks });
    it(`${attack}: ${bound}`, typeof options === 'number' ? { timeout: options } : options, async () => {
      attacks[at] = { attack, bound, seen: await run() };
      writeSiegeChapter({ title, attacks });
    });
  };
}
