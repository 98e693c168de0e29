/**
 * What a run covers, by `FLUX_TEST_TIER`.
 *
 * - `quick` (the default, `npm test`): every promise, in minutes; the long ones by a sample.
 * - `full` (`npm run test:full`): what `quick` leaves out, and the sampled files whole.
 * - `all`: both, for a single file or for another Postgres.
 */
export type Tier = 'quick' | 'full' | 'all';

/** The tier of this run. @throws Error for a word that is not a tier */
export function readTier(): Tier {
  const tier = process.env.FLUX_TEST_TIER ?? 'quick';
  if (tier === 'quick' || tier === 'full' || tier === 'all') return tier;
  throw new Error(`FLUX_TEST_TIER is ${JSON.stringify(tier)}; it is quick, full or all`);
}

/** Files, and folders of them, that only the full tier runs: their subject is size, repetition, waiting, or another Postgres than the newest here. */
export const LONG_FILES: readonly string[] = [
  'acceptance/cases/all-extensions.test.ts',
  'acceptance/cases/many-tables.test.ts',
  'acceptance/cases/other-host.test.ts',
  'acceptance/cases/readme.test.ts',
  'acceptance/cases/regression-database.test.ts',
  'acceptance/comeback-kill.test.ts',
  'acceptance/import-kill.test.ts',
  'acceptance/large.test.ts',
  'acceptance/lost-claim.test.ts',
  'acceptance/majors.test.ts',
  'acceptance/parallel-restore.test.ts',
  'acceptance/power/power.test.ts',
  'acceptance/restore-extensions.test.ts',
  'acceptance/restore-load.test.ts',
  'acceptance/sabotage/inconclusive.test.ts',
  'acceptance/siege/**/*.test.ts',
  'acceptance/two-servers.test.ts',
  'acceptance/undo-keep.test.ts',
  'packages/server/test/instances/kill-tree.test.ts',
];

/** Files of which the quick tier takes a sample; they ask `isSampled` how much. */
export const SAMPLED_FILES: readonly string[] = [
  'acceptance/cases/attached.test.ts',
  'acceptance/cases/dedicated.test.ts',
  'acceptance/cases/shared.test.ts',
  'acceptance/damage.test.ts',
  'acceptance/interruptions/interruptions.test.ts',
  'acceptance/kill.test.ts',
  'acceptance/sabotage/corpus.test.ts',
  'acceptance/sabotage/no-false-alarm.test.ts',
  'packages/server/test/backups/gate.test.ts',
  'packages/server/test/postgres/round-trip.test.ts',
];

/** Whether this run takes a sample of the long lists only. */
export function isSampled(): boolean {
  return readTier() === 'quick';
}

/** All of a list, or in the quick tier every n-th of it, the first at `from`. */
export function sampleOf<T>(list: readonly T[], every: number, from = 0): readonly T[] {
  return isSampled() ? list.filter((_, index) => index % every === from) : list;
}
