import { defineConfig } from 'vitest/config';

/** The suite that needs a Docker engine; `npm run test:docker` starts one and runs this. */
export default defineConfig({
  test: {
    include: ['acceptance/docker/**/*.test.ts'],
    pool: 'forks',
    // One engine for all, and one of the files ends it.
    fileParallelism: false,
    testTimeout: 240_000,
    hookTimeout: 240_000,
    reporters: ['default'],
  },
});
