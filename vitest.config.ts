import { defineConfig } from 'vitest/config';
import { LONG_FILES, readTier, SAMPLED_FILES } from './scripts/tiers.ts';

const EVERY_FILE = ['packages/*/src/**/*.test.ts', 'packages/*/test/**/*.test.ts', 'scripts/**/*.test.ts', 'acceptance/**/*.test.ts'];
const tier = readTier();

export default defineConfig({
  test: {
    include: tier === 'full' ? [...LONG_FILES, ...SAMPLED_FILES] : EVERY_FILE,
    // The docker suite needs an engine, which only CI and its own command start.
    exclude: ['**/node_modules/**', 'acceptance/docker/**', ...(tier === 'quick' ? LONG_FILES : [])],
    pool: 'forks',
    // Every integration test starts real Postgres servers; more at once than processors only makes each of them slow.
    maxWorkers: 2,
    testTimeout: 120_000,
    hookTimeout: 180_000,
    globalSetup: ['acceptance/harness/sandbox.ts', 'acceptance/harness/run.ts'],
    reporters: ['default', './scripts/left-out.ts', './scripts/failures.ts'],
  },
});
