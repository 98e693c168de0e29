import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** They name a container, and compare with the time of a file. */
const OF_THE_CALENDAR = ['packages/server/src/disposable/local/sweep.ts', 'packages/server/src/instances/docker/driver.ts'];

it('measures what waits or is bounded by a clock that nobody can set', () => {
  const files = globSync('packages/{cli,server}/src/**/*.ts', { cwd: ROOT }).filter((file) => !file.endsWith('.test.ts'));
  expect(files.length).toBeGreaterThan(300);
  const found = files.filter((file) => readFileSync(`${ROOT}/${file}`, 'utf8').includes('Date.now()'));
  expect(found.sort()).toEqual(OF_THE_CALENDAR);
});
