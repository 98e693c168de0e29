// Unpacks PostgreSQL of another Debian release aside, beside the host's own, for tests that need two majors. Nothing is
// installed: the programs run with the loader and the libraries of their own release.
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { debianMirror } from './debian-mirror.mjs';

/** The release of Debian that has a major. */
const RELEASES = { 15: 'bookworm', 17: 'trixie' };
const PROGRAMS = ['postgres', 'initdb', 'pg_dump', 'pg_restore', 'pg_config', 'psql', 'pg_ctl'];
/** What the packages depend on and these programs do not need; the check at the end would tell. */
const NOT_NEEDED = /^(libllvm|libz3|libperl|.*-perl$|libjson|libsemanage|libsystemd-shared|libpam-|libproc2)/;
const DAMAGED = 'The packages were unpacked, and the programs do not run';

/**
 * Finds the programs of a major on this host, or unpacks them into a folder that git ignores.
 *
 * @param {number} major
 * @returns {{bin: string} | {refused: string}} the `bin` folder, or why the network or the host did not let us have one
 */
export function prepareMajor(major) {
  const installed = `/usr/lib/postgresql/${major}/bin`;
  if (existsSync(join(installed, 'postgres')) && existsSync(join(installed, 'pg_dump'))) return { bin: installed };
  const final = join(cacheFolder(), String(major));
  const bin = join(final, 'usr/lib/postgresql', String(major), 'bin');
  if (existsSync(join(bin, 'postgres'))) return { bin };
  const release = RELEASES[major];
  if (release === undefined) return { refused: `No release of Debian that is known here has PostgreSQL ${major}.` };
  mkdirSync(dirname(final), { recursive: true, mode: 0o755 });
  const temporary = mkdtempSync(join(dirname(final), '.making-'));
  try {
    const refused = download(release, major, temporary);
    if (refused !== undefined) return { refused };
    const root = join(temporary, 'root');
    wrapPrograms(root, major);
    // Another run may have made it in the meantime; theirs is as good.
    if (!existsSync(final)) renameSync(root, final);
    return { bin };
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

/** Inside the checkout, unless root's own folders are in the way of the account that Postgres runs as. */
function cacheFolder() {
  const checkout = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');
  const isOpen = (path) => (statSync(path).mode & 1) === 1 && (path === '/' || isOpen(dirname(path)));
  return process.getuid?.() !== 0 || isOpen(checkout) ? join(checkout, '.flux-majors') : join(tmpdir(), 'flux-majors');
}

/** Downloads and unpacks with an apt that knows that release alone, and an empty list of installed packages. */
function download(release, major, folder) {
  const mirror = debianMirror();
  if (mirror === undefined) return 'This host has no apt sources of Debian to take a mirror from.';
  for (const name of ['lists/partial', 'cache/archives/partial', 'sources', 'debs', 'root'])
    mkdirSync(join(folder, name), { recursive: true });
  chmodSync(join(folder, 'root'), 0o755);
  writeFileSync(join(folder, 'status'), '');
  writeFileSync(
    join(folder, 'sources', 'release.sources'),
    `Types: deb\nURIs: ${mirror.uri}\nSuites: ${release}\nComponents: main\n${mirror.signedBy === undefined ? '' : `Signed-By: ${mirror.signedBy}\n`}`,
  );
  const options = {
    'Dir::Etc::SourceList': '/dev/null',
    'Dir::Etc::SourceParts': join(folder, 'sources'),
    'Dir::State': folder,
    'Dir::State::Lists': join(folder, 'lists'),
    'Dir::State::Status': join(folder, 'status'),
    'Dir::Cache': join(folder, 'cache'),
    'APT::Sandbox::User': 'root',
    'Acquire::Retries': '2',
  };
  const settings = Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  const apt = (...args) => run('apt-get', ['-q', ...settings, ...args], join(folder, 'debs'));

  const updated = apt('update');
  if (updated.status !== 0) return `apt-get update for Debian ${release} failed: ${lastLine(updated)}`;
  const planned = apt('install', '--simulate', '--no-install-recommends', `postgresql-${major}`);
  if (planned.status !== 0) return `apt-get finds no postgresql-${major} in Debian ${release}: ${lastLine(planned)}`;
  const packages = [...planned.stdout.matchAll(/^Inst (\S+)/gm)]
    .map(([, name]) => name)
    .filter((name) => /^(lib|zlib|postgresql-\d|postgresql-client-\d)/.test(name) && !NOT_NEEDED.test(name));
  const fetched = apt('download', ...packages);
  if (fetched.status !== 0) return `apt-get could not download PostgreSQL ${major} of Debian ${release}: ${lastLine(fetched)}`;
  for (const file of readdirSync(join(folder, 'debs'))) {
    const unpacked = run('dpkg-deb', ['-x', join(folder, 'debs', file), join(folder, 'root')], folder);
    if (unpacked.status !== 0) throw new Error(`${file} cannot be unpacked: ${lastLine(unpacked)}`);
  }
  return undefined;
}

/**
 * Puts a script in the place of each program that starts it with the loader and the libraries from beside it. The program is
 * told the script's path as its own: by that one it finds its share folder and its neighbours.
 */
function wrapPrograms(root, major) {
  const home = join(root, 'usr/lib/postgresql', String(major));
  const libraries = join(root, 'usr/lib', readdirSync(join(root, 'usr/lib')).find((name) => name.endsWith('-linux-gnu')) ?? '');
  // Before merged /usr was the rule, libraries lay in /lib.
  const older = join(root, 'lib', libraries.slice(libraries.lastIndexOf('/') + 1));
  if (existsSync(older)) cpSync(older, libraries, { recursive: true, verbatimSymlinks: true });
  const loader = readdirSync(libraries).find((name) => /^ld-linux-.*\.so\.\d$/.test(name));
  if (loader === undefined) throw new Error(`${DAMAGED}: there is no loader in ${libraries}.`);
  // Compiling queries needs LLVM, more than all the rest together; without this file Postgres goes without.
  rmSync(join(home, 'lib/llvmjit.so'), { force: true });
  rmSync(join(home, 'lib/bitcode'), { recursive: true, force: true });

  for (const folder of ['programs', 'loader']) mkdirSync(join(libraries, 'flux', folder), { recursive: true });
  for (const name of PROGRAMS) {
    renameSync(join(home, 'bin', name), join(libraries, 'flux/programs', name));
    // A process is called what was executed, and that is the loader: under the program's name, so that the process has it too.
    symlinkSync(join('../..', loader), join(libraries, 'flux/loader', name));
    const place = libraries.slice(root.length + 1).replace(/^usr\/lib\//, '');
    writeFileSync(
      join(home, 'bin', name),
      [
        '#!/bin/sh',
        `libraries="\${0%/postgresql/*}/${place}"`,
        `exec "$libraries/flux/loader/${name}" --library-path "$libraries" --argv0 "$0" "$libraries/flux/programs/${name}" "$@"`,
        '',
      ].join('\n'),
      { mode: 0o755 },
    );
  }
  for (const name of PROGRAMS) {
    const said = run(join(home, 'bin', name), ['--version'], '/');
    if (said.status !== 0 || !said.stdout.includes(` ${major}.`)) throw new Error(`${DAMAGED}: ${name}: ${lastLine(said)}`);
  }
}

function run(program, args, cwd) {
  const env = { PATH: process.env.PATH, LC_ALL: 'C.UTF-8', HOME: process.env.HOME };
  return spawnSync(program, args, { cwd, env, encoding: 'utf8', timeout: 170_000 });
}

function lastLine({ stderr, error, status }) {
  return error?.message ?? stderr?.trim().split('\n').slice(-2).join(' ') ?? `status ${status}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const prepared = prepareMajor(Number(process.argv[2] ?? 17));
  process.stdout.write(`${'bin' in prepared ? prepared.bin : prepared.refused}\n`);
  process.exitCode = 'bin' in prepared ? 0 : 1;
}
