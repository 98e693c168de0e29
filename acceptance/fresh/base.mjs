// The files of a new machine: Debian's smallest, git, and the Node and npm that this is run with.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { debianMirror } from '../../scripts/setup/debian-mirror.mjs';

const PACKAGES = ['ca-certificates', 'git', 'procps'];
/** Settings of the environment that a machine on this network needs to reach its packages, those that name a file first. */
const NETWORK_FILES = ['NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE', 'GIT_SSL_CAINFO', 'npm_config_cafile'];
export const NETWORK_SETTINGS = [...NETWORK_FILES, 'npm_config_registry', ...['http_proxy', 'https_proxy', 'no_proxy'].flatMap(bothCases)];
/** Files for the same. */
const NETWORK = ['/etc/apt', '/etc/hosts', '/etc/resolv.conf', '/etc/ssl/certs', '/usr/share/keyrings', '/usr/local/share/ca-certificates'];

/**
 * @param {string} base a folder that is not there yet
 * @returns {string | undefined} why it could not be made
 */
export function makeBase(base) {
  const mirror = debianMirror();
  if (mirror === undefined) return 'This host has no apt sources of Debian to take a mirror from.';
  const [, release] = /^VERSION_CODENAME=(\S+)$/m.exec(readFileSync('/etc/os-release', 'utf8')) ?? [];
  if (release === undefined) return 'This host does not say which release of Debian it is.';
  process.stderr.write(`Making a new Debian ${release} ...\n`);
  const made = run('debootstrap', ['--variant=minbase', `--include=${PACKAGES.join(',')}`, release, base, mirror.uri]);
  if (made.status !== 0) return `debootstrap failed: ${made.error?.message ?? lastLines(made)}`;
  const named = NETWORK_FILES.map((name) => process.env[name] ?? '');
  for (const path of [...NETWORK, ...named].filter(existsSync)) {
    mkdirSync(dirname(join(base, path)), { recursive: true });
    // What links point to may be elsewhere on this host, and nowhere on the new machine.
    const copied = run('cp', ['-rLT', '--remove-destination', path, join(base, path)]);
    if (copied.status !== 0) return `${path} could not be copied: ${lastLines(copied)}`;
  }
  // Root types nothing here that could be asked back.
  writeFileSync(join(base, 'etc/apt/apt.conf.d/90-no-questions'), 'APT::Get::Assume-Yes "true";\nDPkg::Use-Pty "false";\n');
  const npmrc = join(homedir(), '.npmrc');
  writeFileSync(join(base, 'root/.npmrc'), existsSync(npmrc) ? readFileSync(npmrc) : '', { mode: 0o600 });
  return placeNode(base);
}

/** Node as the newcomer has it; the checkout's own where that one needs libraries that a new machine has not. */
function placeNode(base) {
  const npm = dirname(dirname(process.env.npm_execpath ?? ''));
  if (!existsSync(join(npm, 'bin/npm-cli.js'))) return 'Run this by `npm run test:fresh`: the npm that does so is the one that is tested.';
  mkdirSync(join(base, 'usr/lib/node_modules'), { recursive: true });
  cpSync(npm, join(base, 'usr/lib/node_modules/npm'), { recursive: true });
  for (const name of ['npm', 'npx']) symlinkSync(`../lib/node_modules/npm/bin/${name}-cli.js`, join(base, 'usr/bin', name));
  const own = fileURLToPath(new URL('../../node_modules/.bin/node', import.meta.url));
  for (const node of [process.env.npm_node_execpath, own].filter((path) => path !== undefined)) {
    cpSync(node, join(base, 'usr/bin/node'), { dereference: true });
    if (run('chroot', [base, 'node', '--version']).status === 0) return undefined;
  }
  return 'Neither the Node that this is run with nor that of the checkout starts on a new machine.';
}

function bothCases(name) {
  return [name, name.toUpperCase()];
}

function run(program, args) {
  return spawnSync(program, args, { encoding: 'utf8', timeout: 900_000, maxBuffer: 2 ** 26 });
}

function lastLines({ stdout, stderr }) {
  return `${stdout}\n${stderr}`.trim().split('\n').slice(-5).join('\n');
}
