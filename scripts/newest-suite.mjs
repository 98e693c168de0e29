// Runs what a new minor release of Postgres can break (everyday use, every damage, every good database) on the newest one that Debian
// has for the host's major, unpacked beside the installed one. Ends with 75 when it cannot be had, which is no verdict.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { prepareNewestMinor } from './setup/second-major.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const TESTS = ['acceptance/everyday.test.ts', 'acceptance/sabotage/corpus.test.ts', 'acceptance/sabotage/no-false-alarm.test.ts'];
/** EX_TEMPFAIL of sysexits(3). */
const NOT_HAD = 75;

const majors = readdirSync('/usr/lib/postgresql').map(Number).filter(Number.isInteger);
const major = Math.max(...majors);
const prepared = prepareNewestMinor(major);
if ('refused' in prepared) {
  process.stderr.write(`${prepared.refused}\nNOT TESTED: nothing ran on the newest PostgreSQL ${major}.\n`);
  process.exitCode = NOT_HAD;
} else if (prepared.bin === undefined) {
  process.stderr.write(`PostgreSQL ${prepared.installed} is installed and is the newest ${major}; \`npm test\` runs on it.\n`);
} else {
  process.stderr.write(`Testing on PostgreSQL ${prepared.newest}, unpacked; ${prepared.installed} is installed.\n`);
  const { status } = spawnSync(join(root, 'node_modules/.bin/vitest'), ['run', ...TESTS, ...process.argv.slice(2)], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, FLUX_TEST_TIER: 'all', FLUX_POSTGRES_BIN_DIRS: prepared.bin, FLUX_POSTGRES_MAJOR: String(major) },
  });
  process.exitCode = status ?? 1;
}
