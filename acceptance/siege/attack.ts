import { it } from 'vitest';
import { type AttackRecord, writeSiegeChapter } from './record.ts';

/** Declares an attack as a test. It throws when the bound does not hold, and returns what was seen, in a few words. */
export type DeclareAttack = (attack: string, bound: string, run: () => Promise<string>, timeoutMs?: number) => void;

/** Begins a chapter of `docs/siege.md`; one for each file of tests, so that a run of the file replaces it. */
export function siegeChapter(title: string): DeclareAttack {
  const attacks: AttackRecord[] = [];
  return (attack, bound, run, timeoutMs) =>
    it(
      `${attack}: ${bound}`,
      async () => {
        attacks.push({ attack, bound, seen: await run() });
        writeSiegeChapter({ title, attacks });
      },
      timeoutMs,
    );
}
