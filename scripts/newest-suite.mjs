// Runs what a new release of Postgres can break (everyday use, every damage, every good database) on the newest minor release of each major
// that Debian has, unpacked beside the installed one: all of it on the host's own major, a sample on the others. What cannot be had is
// said. `FLUX_TEST_TIER=all FLUX_TEST_MAJORS=17,18` tests those whole. Ends with 75 when nothing could be tested, which is no verdict.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { prepareNewest } from './setup/second-major.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const TESTS = ['acceptance/everyday.test.ts', 'acceptance/sabotage/corpus.test.ts', 'acceptance/sabotage/no-false-alarm.test.ts'];
/** A database with every extension that was unpacked. */
const EXTENSIONS = ['acceptance/cases/all-extensions.test.ts'];
/** EX_TEMPFAIL of sysexits(3). */
const NOT_HAD = 75;
const HOST = '/usr/lib/postgresql';

const installed = existsSync(HOST) ? readdirSync(HOST).map(Number).filter(Number.isInteger) : [];
const own = installed.length === 0 ? undefined : Math.max(...installed);
const chosen = process.env.FLUX_TEST_MAJORS?.split(',').map(Number);
const majors = chosen ?? [...new Set([own ?? 15, 15, 17, 18])];

let tested = 0;
for (const major of majors) {
  const prepared = prepareNewest(major);
  if ('refused' in prepared) {
    process.stderr.write(`${prepared.refused}\nNOT TESTED: nothing ran on the newest PostgreSQL ${major}.\n`);
    continue;
  }
  if (major === own && prepared.bin === join(HOST, String(major), 'bin')) {
    process.stderr.write(`PostgreSQL ${prepared.version} is installed and is the newest ${major}; \`npm test\` runs on it.\n`);
    tested += 1;
    continue;
  }
  process.stderr.write(`Testing on PostgreSQL ${prepared.version}.\n`);
  const tier = process.env.FLUX_TEST_TIER ?? (major === own ? 'all' : 'quick');
  const statuses = [test(prepared.bin, major, tier, TESTS), test(prepared.bin, major, 'all', EXTENSIONS)];
  tested += 1;
  const failed = statuses.find((status) => status !== 0);
  if (failed !== undefined) {
    process.stderr.write(`FAILED on PostgreSQL ${prepared.version}.\n`);
    process.exitCode = failed ?? 1;
  }
}
if (tested === 0) process.exitCode = NOT_HAD;

/** Runs test files on the programs of a major; the answer is the exit status. */
function test(bin, major, tier, files) {
  const { status } = spawnSync(join(root, 'node_modules/.bin/vitest'), ['run', ...files, ...process.argv.slice(2)], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, FLUX_TEST_TIER: tier, FLUX_POSTGRES_BIN_DIRS: bin, FLUX_POSTGRES_MAJOR: String(major) },
  });
  return status;
}
