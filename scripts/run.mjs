// The entry point of `npm run demo`, `npm test` and similar commands. It works on a fresh clone, with an older Node and nothing
// installed: it does the setup, then runs the Node version that the checkout pins.
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { prepareExtensions } from './setup/extensions.mjs';
import { preparePostgres } from './setup/postgres.mjs';
import { prepareSandbox } from './setup/prepare-sandbox.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const bin = join(root, 'node_modules', '.bin');

/** The built command, for the tests of the CLI: reading its sources takes three times as long at every start. Split at blanks there. */
const BUILT = root.includes(' ') ? {} : { FLUX_TEST_COMMAND: `${join(bin, 'node')} ${join(root, 'packages/cli/bin/flux.js')}` };

/** What each command runs, after its setup. */
const COMMANDS = {
  demo: { postgres: true, build: true, steps: [['node', 'scripts/demo.ts']] },
  start: { postgres: true, build: true, steps: [['node', 'packages/server/bin/flux-server.js']], handsOver: true },
  // Each kind of sandbox is tested.
  test: { postgres: true, sandboxes: 'all', build: true, env: { ...BUILT, FLUX_TEST_TIER: 'quick' }, steps: [['vitest', 'run']] },
  'test:full': {
    postgres: true,
    extensions: true,
    sandboxes: 'all',
    build: true,
    env: { ...BUILT, FLUX_TEST_TIER: 'full' },
    steps: [['vitest', 'run']],
  },
  docker: { postgres: true, build: true, steps: [['node', 'scripts/docker-suite.mjs']] },
  'test:newest': { postgres: true, build: true, steps: [['node', 'scripts/newest-suite.mjs']] },
  // The machines that it creates run the setup themselves.
  'test:fresh': { postgres: false, build: false, steps: [['node', 'acceptance/fresh/run.mjs']] },
  'test:sabotage': {
    postgres: true,
    build: true,
    env: { FLUX_TEST_TIER: 'all', FLUX_TEST_RECORD: 'yes' },
    steps: [
      ['vitest', 'run', 'acceptance/sabotage/corpus.test.ts'],
      ['node', 'scripts/docs.ts', '--write'],
    ],
  },
  'test:no-false-alarm': {
    postgres: true,
    build: true,
    env: { FLUX_TEST_TIER: 'all', FLUX_TEST_RECORD: 'yes', FLUX_TEST_REPEATS: '20' },
    steps: [
      ['vitest', 'run', 'acceptance/sabotage/no-false-alarm.test.ts'],
      ['node', 'scripts/docs.ts', '--write'],
    ],
  },
  'test:power': {
    postgres: true,
    build: true,
    env: { FLUX_TEST_TIER: 'all', FLUX_TEST_RECORD: 'yes', FLUX_TEST_CUTS: '50' },
    steps: [
      ['vitest', 'run', 'acceptance/power/power.test.ts'],
      ['node', 'scripts/docs.ts', '--write'],
    ],
  },
  'test:siege': {
    postgres: true,
    sandboxes: 'all',
    build: true,
    env: {
      ...BUILT,
      FLUX_TEST_TIER: 'all',
      FLUX_TEST_RECORD: 'yes',
      FLUX_TEST_AWAY_MS: '60000',
      FLUX_TEST_PROJECTS: '1000',
      FLUX_TEST_STORM_SECONDS: '600',
      FLUX_TEST_BACKUPS: '200',
    },
    steps: [
      ['vitest', 'run', 'acceptance/siege', '--maxWorkers=1'],
      ['node', 'scripts/docs.ts', '--write'],
    ],
  },
  bench: { postgres: true, build: true, steps: [['node', 'bench/main.ts']] },
  'bench:outage': { postgres: true, build: true, steps: [['node', 'bench/outage.ts']] },
  build: { postgres: false, build: true, steps: [] },
  docs: { postgres: false, build: false, steps: [['node', 'scripts/docs.ts', '--write']] },
  check: {
    postgres: false,
    build: false,
    steps: [
      ['tsc', '-p', 'packages/contract'],
      ['tsc', '-p', 'packages/server'],
      ['tsc', '-p', 'packages/cli'],
      ['tsc', '-p', '.'],
      ['biome', 'check', '.'],
      ['depcruise', '--config', '.dependency-cruiser.cjs', 'packages'],
      ['knip'],
      ['node', 'scripts/file-lengths.ts'],
      ['node', 'scripts/docs.ts', '--check'],
    ],
  },
};

const [name = '', ...rest] = process.argv.slice(2);
const command = COMMANDS[name];
if (command === undefined) fail(`There is no "${name}"; there are ${Object.keys(COMMANDS).join(', ')}.`, 2);

installDependencies();
if (command.postgres) {
  preparePostgres(fail);
  if (command.extensions) prepareExtensions();
  prepareSandbox(join(bin, 'node'), command.sandboxes ?? 'one');
}
if (command.build) step(['node', 'scripts/build.mjs']);
for (const [index, args] of command.steps.entries()) step(index === command.steps.length - 1 ? [...args, ...rest] : args);

/** Installs the dependencies of the lock file when they are missing or the lock file has changed. */
function installDependencies() {
  const lock = join(root, 'package-lock.json');
  const installed = join(root, 'node_modules', '.package-lock.json');
  if (existsSync(installed) && existsSync(join(bin, 'node')) && statSync(installed).mtimeMs >= statSync(lock).mtimeMs) return;
  process.stderr.write('Installing the dependencies that package-lock.json names (once) ...\n');
  const npm = process.env.npm_execpath;
  const [program, args] = npm?.endsWith('.js') ? [process.execPath, [npm]] : ['npm', []];
  const options = ['ci', '--no-audit', '--no-fund', '--loglevel=error'];
  const { status } = spawnSync(program, [...args, ...options], { cwd: root, stdio: ['ignore', 2, 2] });
  if (status !== 0)
    fail('npm could not install the dependencies; its output is above. Check that the npm registry can be reached, then try again.');
  if (!existsSync(join(bin, 'node'))) {
    fail(
      `There is no Node 24 package for ${process.platform}-${process.arch}; install Node 22.18 or newer and run the scripts under packages/ with it.`,
    );
  }
}

/** Runs one step with the Node and the tools of the checkout first on the path; exits when it fails. */
function step([program, ...args]) {
  const env = { ...command.env, ...process.env, PATH: `${bin}:${process.env.PATH}` };
  const { status, signal, error } = spawnSync(join(bin, program), args, { cwd: root, stdio: 'inherit', env });
  if (error !== undefined) fail(`${program} could not be started: ${error.message}`);
  if (signal !== null) fail(`${program} was ended by ${signal}.`, 1);
  if (status !== 0) process.exit(status ?? 1);
}

/** @returns {never} */
function fail(message, code = 1) {
  process.stderr.write(`${message}\n`);
  process.exit(code);
}
