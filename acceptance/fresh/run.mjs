// Makes a new Debian with nothing but git and Node in it, and does there what README.md tells a newcomer to do: `npm run demo` and
// `npm test`, as root, as an ordinary user, and in a chroot, where no sandbox can be made. Needs root and the network for Debian's
// packages and npm's; whatever happens, nothing of it is left.
//
//   --demo           the demo only
//   --as root,user   only these, of root, user and chroot
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { existsOnPath, installPackages } from '../../scripts/setup/apt.mjs';
import { makeBase, NETWORK_SETTINGS } from './base.mjs';

const checkout = fileURLToPath(new URL('../..', import.meta.url));
/** EX_TEMPFAIL of sysexits(3). */
const NOT_HAD = 75;
const NAMESPACES = ['--mount', '--propagation', 'private', '--pid', '--fork', '--kill-child=SIGKILL'];
const VISITOR = ['setpriv', '--reuid=visitor', '--regid=visitor', '--init-groups', 'env', 'HOME=/home/visitor', 'USER=visitor'];
const ROOT = ['env', 'HOME=/root', 'USER=root'];

const isQuick = process.argv.includes('--demo');
const chosen = process.argv.includes('--as') ? process.argv[process.argv.indexOf('--as') + 1]?.split(',') : undefined;
const work = isQuick ? ['npm run demo'] : ['npm run demo', 'npm test'];

/** How each newcomer comes to a checkout and runs a line in it. */
const NEWCOMERS = {
  root: { how: 'pivot', prepare: async () => true, run: (machine, line) => enter(machine, 'pivot', ROOT, '/opt/flux', line) },
  user: { how: 'pivot', prepare: prepareUser, run: (machine, line) => enter(machine, 'pivot', VISITOR, '/home/visitor/flux', line) },
  chroot: { how: 'chroot', prepare: async () => true, run: (machine, line) => enter(machine, 'chroot', ROOT, '/opt/flux', line) },
};

/** Where the machines lie. */
let folder;
/** What runs in a machine at this moment; its processes and mounts end with it. */
let inside;

if (process.platform !== 'linux' || process.getuid?.() !== 0) refuse('A new machine is made by root, on Linux.');
const missing = ['debootstrap', 'git'].filter((program) => !existsOnPath(program));
if (missing.length > 0 && !installPackages(missing)) refuse(`apt-get could not install ${missing.join(' and ')}.`);
if (spawnSync('unshare', [...NAMESPACES, 'true']).status !== 0) refuse('This host does not let root make namespaces.');

folder = mkdtempSync(join(tmpdir(), 'flux-fresh-'));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
  process.on(signal, () => {
    inside?.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
    process.exit(130);
  });

const outcomes = [];
try {
  const base = join(folder, 'base');
  const refused = makeBase(base);
  if (refused !== undefined) refuse(refused);
  for (const [name, newcomer] of Object.entries(NEWCOMERS))
    if (chosen === undefined || chosen.includes(name)) await visit(name, newcomer, base);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.stdout.write(`\nOn a new Debian, of commit ${commit()}:\n${outcomes.map(({ text }) => `  ${text}\n`).join('')}`);
process.exitCode = outcomes.every(({ isGood }) => isGood) ? 0 : 1;

/** One newcomer on a machine of their own: every line, until one fails. */
async function visit(name, newcomer, base) {
  const machine = join(folder, name);
  succeed('cp', ['-a', '--reflink=auto', base, machine]);
  succeed('git', ['clone', '-q', checkout, join(machine, 'opt/flux')]);
  if (!(await newcomer.prepare(machine))) {
    outcomes.push({ isGood: false, text: `${name}: the set-up does not say what to type, or it does not help` });
    return;
  }
  for (const line of work) {
    process.stdout.write(`\n=== ${name}: ${line}\n`);
    const began = performance.now();
    const { status } = await newcomer.run(machine, line);
    const seconds = Math.round((performance.now() - began) / 1000);
    outcomes.push({
      isGood: status === 0,
      text: `${name}: ${line}: ${status === 0 ? 'passed' : `ENDED WITH ${status}`} after ${seconds} s`,
    });
    if (status !== 0) break;
  }
  rmSync(machine, { recursive: true, force: true });
}

/** An account, a checkout of its own, and what the set-up tells it to have typed by root. */
async function prepareUser(machine) {
  const setUp =
    'useradd --create-home --shell /bin/bash visitor && cp -r /opt/flux /root/.npmrc /home/visitor/ && chown -R visitor: /home/visitor';
  if ((await enter(machine, 'pivot', ROOT, '/', setUp)).status !== 0) return false;
  process.stdout.write('\n=== user: npm run demo, before root has installed what it asks for\n');
  const asked = await enter(machine, 'pivot', VISITOR, '/home/visitor/flux', 'npm run demo');
  const [, typed] = /^ {2}(sudo apt-get .*)$/m.exec(asked.output) ?? [];
  if (asked.status === 0 || typed === undefined) return false;
  process.stdout.write(`\n=== root: ${typed}\n`);
  return (await enter(machine, 'pivot', ROOT, '/', typed.replaceAll('sudo ', ''))).status === 0;
}

/** Runs a line in the machine; what it prints is shown, and answered. */
function enter(machine, how, as, place, line) {
  return new Promise((resolve, reject) => {
    const script = fileURLToPath(new URL('enter.sh', import.meta.url));
    const command = [...as, 'sh', '-c', `cd ${place} && ${line}`];
    const environment = Object.entries(process.env).filter(([name]) => NETWORK_SETTINGS.includes(name));
    inside = spawn('unshare', [...NAMESPACES, script, machine, how, ...command], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...Object.fromEntries(environment), PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' },
    });
    let output = '';
    for (const [stream, screen] of [
      [inside.stdout, process.stdout],
      [inside.stderr, process.stderr],
    ])
      stream.setEncoding('utf8').on('data', (text) => {
        output += text;
        screen.write(text);
      });
    inside.on('error', reject);
    inside.on('close', (status) => resolve({ status, output }));
  });
}

function commit() {
  return spawnSync('git', ['-C', checkout, 'rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).stdout.trim();
}

function succeed(program, args) {
  const { status, stderr, error } = spawnSync(program, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} failed: ${error?.message ?? stderr}`);
}

/**
 * Ends with a status of its own when no new machine can be had, which is no verdict on what would have been tested.
 *
 * @returns {never}
 */
function refuse(reason) {
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  process.stderr.write(`${reason}\nNOT TESTED: nothing ran on a new machine.\n`);
  process.exit(NOT_HAD);
}
