import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import { type Flux, startFlux, type TestProject } from '../harness/flux.ts';
import { whileOthersAsk } from '../harness/siege-load.ts';
import { siegeChapter } from './attack.ts';

/** SQL that a scanner with a choice in it would read in exponential or quadratic time. */
const RULERS: Readonly<Record<string, string>> = {
  'a ruler of dashes between two parts of a string': `select E'a\\n' ${'-'.repeat(200)}\n 'b';`,
  'pairs of dashes between two parts of a string': `select E'a\\n' ${'-- '.repeat(10_000)}\n 'b';`,
  'lines of dashes after a string that nothing follows': `select 'a' ${`${'-'.repeat(80)}\n`.repeat(5_000)};`,
  'blanks and line ends after a string': `select 'a'${' \n\t'.repeat(100_000)};`,
  'comments in comments': `${'/* '.repeat(50_000)} x ${'*/ '.repeat(50_000)} select 1;`,
  'beginnings of comments that never end': `select 1; ${'/* '.repeat(100_000)}`,
  'dollars and tags that never end': `select 1; ${Array.from({ length: 20_000 }, (_, i) => `$a${i}`).join(' ')}`,
  quotes: `select ${"'".repeat(300_000)};`,
  backslashes: `select E'${'\\'.repeat(300_000)}';`,
  'opening brackets': `select ${'('.repeat(100_000)}`,
  'a hundred thousand statements': 'select 1;'.repeat(100_000),
  'words without end of a statement': `drop table ${'a.'.repeat(100_000)}a`,
};
const WITHIN_MS = 10_000;

const attack = siegeChapter('SQL that is slow to read');
let flux: Flux;
let project: TestProject;

beforeAll(async () => {
  flux = await startFlux();
  project = await flux.createProject('rulers', 'v2_shared');
  mkdirSync(join(flux.folder, 'rulers'));
});
afterAll(() => flux?.[Symbol.asyncDispose]());

for (const [index, [name, sql]] of Object.entries(RULERS).entries())
  attack(
    `A file with ${name}, planned and pushed`,
    `planned, and refused or run, in ${WITHIN_MS / 1000} s each; others wait less than a second`,
    async () => {
      const file = join('rulers', `${String(index).padStart(3, '0')}.sql`);
      writeFileSync(join(flux.folder, file), sql);
      const timed = async (...more: string[]) => {
        const began = performance.now();
        const ended = await flux.flux('push', file, ...project.flags, ...more);
        const ms = performance.now() - began;
        expect(ended.exitCode, ended.stderr).toBeOneOf([0, 1, 2, 3, 4]);
        expect(ms).toBeLessThan(WITHIN_MS);
        return { seconds: (ms / 1000).toFixed(1), did: ended.exitCode === 0 ? 'done' : 'refused' };
      };
      const plan = await timed('--plan');
      const { outcome: pushed, worstMs } = await whileOthersAsk(flux, timed('--yes'));
      expect(worstMs).toBeLessThan(1000);
      return `planned in ${plan.seconds} s; ${pushed.did} in ${pushed.seconds} s; others waited ${worstMs} ms`;
    },
    60_000,
  );
