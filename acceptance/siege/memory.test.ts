import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect } from 'vitest';
import { type Flux, startFlux } from '../harness/flux.ts';
import { siegeChapter } from './attack.ts';

/** How many backups are created and verified. `npm run test:siege` sets 200. */
const COUNT = Number(process.env.FLUX_TEST_BACKUPS ?? 40);
const WARM_UP = 20;
const BOUND_MB = 64;

const attack = siegeChapter('Memory');

let flux: Flux;
beforeAll(async () => {
  flux = await startFlux();
});
afterAll(() => flux?.[Symbol.asyncDispose]());

const memoryMb = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${flux.pid()}/status`, 'utf8'))?.[1]) / 1024;

attack(
  `${COUNT} times backup create --verify`,
  `the server has at most ${BOUND_MB} MB more than after ${WARM_UP}`,
  async () => {
    const project = await flux.createProject('often', 'v2_shared');
    await flux.push(project, 'create table t as select i, md5(i::text) as a from generate_series(1, 5000) i;');
    const seen: number[] = [];
    for (let i = 1; i <= COUNT; i++) {
      const made = await flux.flux('backup', 'create', ...project.flags, '--verify');
      expect(made.exitCode, made.stderr).toBe(0);
      if (i % WARM_UP === 0) seen.push(Math.round(memoryMb()));
    }
    const [first = 0] = seen;
    const last = seen.at(-1) ?? 0;
    expect(last - first).toBeLessThanOrEqual(BOUND_MB);
    return `${first} MB after ${WARM_UP}, ${last} MB after ${COUNT} (every ${WARM_UP}: ${seen.join(', ')})`;
  },
  COUNT * 15_000,
);
