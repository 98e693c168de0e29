import { randomInt } from 'node:crypto';

/** Whether this is only the sample that `npm run test:full` takes. */
export const IS_SAMPLE = process.env.FLUX_TEST_CUTS === undefined;

/** How many cuts each scenario gets: 50 by `npm run test:power`. */
export const CUTS = Number(process.env.FLUX_TEST_CUTS ?? 1);

/** Where the moments come from; the same seed gives the same ones. */
export const SEED = Number(process.env.FLUX_TEST_SEED ?? randomInt(2 ** 32));

/** Cuts fall up to here: a little after the end of a run that takes as long as the one before. */
const END = 1.08;

/**
 * Moments of a run, as parts of the time that an undisturbed one takes. Drawn at random, one from each of as many equal
 * parts as there are cuts, so that no part of the run is left out.
 */
export function drawMoments(scenario: string, count: number): readonly number[] {
  const random = generator(SEED, scenario);
  return Array.from({ length: count }, (_, index) => (END * (index + random())) / count);
}

/** mulberry32: small, and good enough to choose moments. */
function generator(seed: number, stream: string): () => number {
  let state = [...stream].reduce((mixed, character) => Math.imul(mixed ^ character.charCodeAt(0), 0x01000193), seed) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
