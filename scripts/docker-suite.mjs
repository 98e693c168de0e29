// Runs the suite that needs Docker: starts a separate engine in its own namespaces, builds images from Debian's packages, runs
// acceptance/docker, and ends everything. Needs root and the network for Debian's packages; no image is pulled.
import { spawn, spawnSync } from 'node:child_process';
import { createWriteStream, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { existsOnPath, installPackages } from './setup/apt.mjs';
import { prepareImage } from './setup/docker-image.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const IMAGE = 'flux-test-postgres:{major}';
/** EX_TEMPFAIL of sysexits(3). */
const NO_ENGINE = 75;
/** Releases of Debian and their major version of Postgres. Most tests use the first one. */
const IMAGES = [
  { major: 15, release: 'bookworm' },
  { major: 17, release: 'trixie' },
];
const TOOLS = {
  dockerd: 'docker.io',
  docker: 'docker.io',
  iptables: 'iptables',
  debootstrap: 'debootstrap',
  ip: 'iproute2',
  unshare: 'util-linux',
};

if (process.argv[2] === '--inside') await runInside(process.argv[3], process.argv.slice(4));
else prepareAndEnter(process.argv.slice(2));

/** On the host: programs and images. Then everything else in namespaces that end with their first process, whatever happens. */
function prepareAndEnter(args) {
  if (process.platform !== 'linux' || process.getuid?.() !== 0)
    fail('The Docker suite starts an engine of its own: it needs Linux and root.');
  installTools();
  const images = IMAGES.map(({ major, release }) => {
    process.stderr.write(`Image of PostgreSQL ${major} from Debian ${release} ...\n`);
    return `${major}=${prepareImage(major, release, fail)}`;
  });
  const folder = mkdtempSync(join(tmpdir(), 'flux-engine-'));
  const self = fileURLToPath(import.meta.url);
  // No bridge, firewall rule, mount or process of the engine is left on the host, even after kill -9 of this process.
  const namespaces = ['--net', '--mount', '--pid', '--fork', '--kill-child=SIGKILL', '--mount-proc'];
  const child = spawn('unshare', [...namespaces, process.execPath, self, '--inside', folder, images.join(','), ...args], {
    stdio: 'inherit',
  });
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill('SIGKILL'));
  child.on('exit', (code) => {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    removeControlGroups(folder);
    process.exitCode = code ?? 1;
  });
}

/** In the namespaces: the engine, the images, the tests. */
async function runInside(folder, [images, ...args]) {
  await succeed('ip', ['link', 'set', 'lo', 'up']);
  const engine = await startEngine(folder);
  try {
    for (const image of images.split(',')) {
      const [major, archive] = image.split('=');
      await succeed('docker', ['import', archive, IMAGE.replace('{major}', major)], { DOCKER_HOST: engine.host });
    }
    process.exitCode = await run(join(root, 'node_modules/.bin/vitest'), ['run', '--config', 'vitest.docker.config.ts', ...args], {
      DOCKER_HOST: engine.host,
      FLUX_DOCKER_POSTGRES_IMAGE: IMAGE,
      FLUX_TEST_DOCKER_MAJORS: IMAGES.map(({ major }) => major).join(','),
      // How the tests stop and restart the engine.
      FLUX_TEST_DOCKER_ENGINE: engine.command.join('\n'),
      FLUX_TEST_DOCKER_PID_FILE: engine.pidFile,
    });
  } finally {
    await engine.stop();
  }
}

async function startEngine(folder) {
  const socket = join(folder, 'docker.sock');
  const pidFile = join(folder, 'docker.pid');
  mkdirSync(join(folder, 'exec'), { recursive: true });
  const command = [
    'dockerd',
    ...['--host', `unix://${socket}`, '--data-root', join(folder, 'data'), '--exec-root', join(folder, 'exec'), '--pidfile', pidFile],
    ...['--cgroup-parent', `/${controlGroupOf(folder)}`, '--shutdown-timeout', '5', '--config-file', join(folder, 'daemon.json')],
  ];
  writeFileSync(join(folder, 'daemon.json'), '{}');
  const log = createWriteStream(join(folder, 'dockerd.log'), { flags: 'a' });
  await new Promise((resolve) => log.once('open', resolve));
  const child = spawn(command[0], command.slice(1), { stdio: ['ignore', log, log] });
  for (const deadline = Date.now() + 60_000; ; await sleep(200)) {
    if (spawnSync('docker', ['version'], { env: { ...process.env, DOCKER_HOST: `unix://${socket}` } }).status === 0) break;
    if (child.exitCode !== null || Date.now() > deadline)
      fail(`Docker did not start:\n${readFileSync(join(folder, 'dockerd.log'), 'utf8').slice(-3000)}`);
  }
  return {
    host: `unix://${socket}`,
    command,
    pidFile,
    stop: async () => {
      // A test may have started another one since.
      const pid = existsSync(pidFile) ? Number(readFileSync(pidFile, 'utf8')) : 0;
      if (pid > 1) process.kill(pid, 'SIGTERM');
      for (const deadline = Date.now() + 20_000; existsSync(pidFile) && Date.now() < deadline; ) await sleep(100);
    },
  };
}

function installTools() {
  const packages = [...new Set(Object.entries(TOOLS).flatMap(([program, name]) => (existsOnPath(program) ? [] : [name])))];
  if (packages.length > 0 && !installPackages(packages)) fail(`apt-get could not install ${packages.join(' and ')}.`);
}

/** Name of the control group of the engine's containers. */
function controlGroupOf(folder) {
  return folder.slice(folder.lastIndexOf('/') + 1);
}

/** Control groups are not namespaced: empty ones are left, and are removed from the innermost one outwards. */
function removeControlGroups(folder) {
  const found = spawnSync('find', ['/sys/fs/cgroup', '-depth', '-type', 'd', '-path', `*/${controlGroupOf(folder)}*`], {
    encoding: 'utf8',
  });
  for (const path of (found.stdout ?? '').split('\n').filter((line) => line !== '')) spawnSync('rmdir', [path]);
}

function run(program, args, env = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: root, stdio: 'inherit', env: { ...process.env, ...env } });
    child.on('error', reject);
    child.on('exit', (code) => resolve(code ?? 1));
  });
}

async function succeed(program, args, env) {
  const code = await run(program, args, env);
  if (code !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${code}`);
}

function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/**
 * Exits with a separate status when there is no engine, since nothing was tested then.
 *
 * @returns {never}
 */
function fail(message) {
  process.stderr.write(`${message}\nNOT TESTED: nothing ran in Docker.\n`);
  process.exit(NO_ENGINE);
}
