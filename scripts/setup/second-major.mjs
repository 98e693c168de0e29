// Unpacks PostgreSQL aside, beside the host's own, for tests: another major from the Debian release that has it, or the newest minor
// release that the host's own sources have. Nothing is installed: the programs run with the loader and the libraries unpacked with them.
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
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
const RELEASES = { 15: 'bookworm', 17: 'trixie', 18: 'forky' };
const PROGRAMS = ['postgres', 'initdb', 'pg_dump', 'pg_restore', 'pg_config', 'psql', 'pg_ctl', 'pgbench'];
/** Extensions that come in packages of their own, where the release has them; they depend on nothing else. */
const EXTENSIONS = ['pgvector', 'partman'];
/** Which packages were asked for, in the folder that they were unpacked into. */
const ASKED = 'packages';
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
  if (hasPrograms(final, major)) return { bin: binFolder(final, major) };
  return inTemporaryFolder((folder) => {
    const apt = openRelease(folder, major);
    return 'refused' in apt ? apt : unpack(apt.run, major, apt.from, folder, final);
  });
}

/**
 * Finds or unpacks the newest minor release of a major: that of the host's own sources when the major is installed, else that of the
 * Debian release that has it. Without a network, what was unpacked earlier has to do.
 *
 * @param {number} major
 * @returns {{bin: string, version: string} | {refused: string}}
 */
export function prepareNewest(major) {
  const installed = `/usr/lib/postgresql/${major}/bin`;
  if (existsSync(join(installed, 'postgres'))) {
    const newest = prepareNewestMinor(major);
    return 'refused' in newest ? newest : { bin: newest.bin ?? installed, version: newest.newest };
  }
  const earlier = join(cacheFolder(), String(major));
  return inTemporaryFolder((folder) => {
    const apt = openRelease(folder, major);
    const usual = hasPrograms(earlier, major)
      ? { bin: binFolder(earlier, major), version: versionIn(binFolder(earlier, major)) }
      : undefined;
    if ('refused' in apt) return usual ?? apt;
    const [, newest] = /Candidate: (\d+\.\d+)/.exec(apt.run('apt-cache', 'policy', `postgresql-${major}`).stdout ?? '') ?? [];
    if (newest === undefined) return usual ?? { refused: `${apt.from} has no postgresql-${major}.` };
    if (usual?.version === newest) return usual;
    const final = join(cacheFolder(), newest);
    const prepared = hasPrograms(final, major) ? { bin: binFolder(final, major) } : unpack(apt.run, major, apt.from, folder, final);
    return 'bin' in prepared ? { bin: prepared.bin, version: newest } : prepared;
  });
}

/** An apt that sees only the release of Debian that has a major, with its lists. */
function openRelease(folder, major) {
  const release = RELEASES[major];
  if (release === undefined) return { refused: `No release of Debian that is known here has PostgreSQL ${major}.` };
  const mirror = debianMirror();
  if (mirror === undefined) return { refused: 'This host has no apt sources of Debian to take a mirror from.' };
  writeFileSync(
    join(folder, 'sources', 'release.sources'),
    `Types: deb\nURIs: ${mirror.uri}\nSuites: ${release}\nComponents: main\n${mirror.signedBy === undefined ? '' : `Signed-By: ${mirror.signedBy}\n`}`,
  );
  const apt = openApt(folder, { 'Dir::Etc::SourceList': '/dev/null', 'Dir::Etc::SourceParts': join(folder, 'sources') });
  const updated = apt('apt-get', '-q', 'update');
  const from = `Debian ${release}`;
  return updated.status === 0 ? { run: apt, from } : { refused: `apt-get update for ${from} failed: ${lastLine(updated)}` };
}

function versionIn(bin) {
  return /\(PostgreSQL\) (\d+\.\d+)/.exec(run(join(bin, 'postgres'), ['--version'], '/').stdout ?? '')?.[1];
}

/**
 * Unpacks the newest minor release of an installed major that the host's own sources have, when it is newer than the installed one.
 *
 * @param {number} major
 * @returns {{installed: string, newest: string, bin: string | undefined} | {refused: string}} `bin` only when the newest is not installed
 */
export function prepareNewestMinor(major) {
  const installed = versionIn(`/usr/lib/postgresql/${major}/bin`);
  if (installed === undefined) return { refused: `PostgreSQL ${major} is not installed here.` };
  return inTemporaryFolder((folder) => {
    // With lists of their own: the host's may be old, and are the host's.
    const apt = openApt(folder, {});
    const updated = apt('apt-get', '-q', 'update');
    if (updated.status !== 0) return { refused: `apt-get update failed: ${lastLine(updated)}` };
    const [, newest] = /Candidate: (\d+\.\d+)/.exec(apt('apt-cache', 'policy', `postgresql-${major}`).stdout ?? '') ?? [];
    if (newest === undefined) return { refused: `The apt sources of this host have no postgresql-${major}.` };
    if (Number(newest.split('.')[1]) <= Number(installed.split('.')[1])) return { installed, newest: installed, bin: undefined };
    const final = join(cacheFolder(), newest);
    const prepared = hasPrograms(final, major) ? { bin: binFolder(final, major) } : unpack(apt, major, 'this host', folder, final);
    return 'bin' in prepared ? { installed, newest, bin: prepared.bin } : prepared;
  });
}

function binFolder(root, major) {
  return join(root, 'usr/lib/postgresql', String(major), 'bin');
}

/** Whether all programs and extensions are there: an older checkout may have unpacked fewer. */
function hasPrograms(root, major) {
  const asked = join(root, ASKED);
  if (!existsSync(asked) || readFileSync(asked, 'utf8') !== EXTENSIONS.join('\n')) return false;
  return PROGRAMS.every((name) => existsSync(join(binFolder(root, major), name)));
}

/** Gives a folder beside the final ones, with places for apt, and removes it. */
function inTemporaryFolder(work) {
  mkdirSync(cacheFolder(), { recursive: true, mode: 0o755 });
  const folder = mkdtempSync(join(cacheFolder(), '.making-'));
  try {
    for (const name of ['lists/partial', 'cache/archives/partial', 'sources', 'debs', 'root'])
      mkdirSync(join(folder, name), { recursive: true });
    chmodSync(join(folder, 'root'), 0o755);
    writeFileSync(join(folder, 'status'), '');
    return work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function unpack(apt, major, from, folder, final) {
  const refused = download(apt, major, from, folder);
  if (refused !== undefined) return { refused };
  const root = join(folder, 'root');
  wrapPrograms(root, major);
  // Another run may have made it in the meantime; theirs is as good. One with fewer programs gives way.
  if (!hasPrograms(final, major)) {
    rmSync(final, { recursive: true, force: true });
    renameSync(root, final);
  }
  return { bin: binFolder(final, major) };
}

/** Inside the checkout, unless root's own folders are in the way of the account that Postgres runs as. */
function cacheFolder() {
  const checkout = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');
  const isOpen = (path) => (statSync(path).mode & 1) === 1 && (path === '/' || isOpen(dirname(path)));
  return process.getuid?.() !== 0 || isOpen(checkout) ? join(checkout, '.flux-majors') : join(tmpdir(), 'flux-majors');
}

/** An apt that keeps everything in a folder, and takes nothing for installed. */
function openApt(folder, sources) {
  const options = {
    ...sources,
    'Dir::State': folder,
    'Dir::State::Lists': join(folder, 'lists'),
    'Dir::State::Status': join(folder, 'status'),
    'Dir::Cache': join(folder, 'cache'),
    'APT::Sandbox::User': 'root',
    'Acquire::Retries': '2',
  };
  const settings = Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  return (program, ...args) => run(program, [...settings, ...args], join(folder, 'debs'));
}

/** Downloads and unpacks a major with what it depends on; the answer is why not. */
function download(apt, major, from, folder) {
  const extensions = EXTENSIONS.map((name) => `postgresql-${major}-${name}`).filter((name) =>
    /Candidate: \d/.test(apt('apt-cache', 'policy', name).stdout ?? ''),
  );
  const planned = apt('apt-get', '-q', 'install', '--simulate', '--no-install-recommends', `postgresql-${major}`, ...extensions);
  if (planned.status !== 0) return `apt-get finds no postgresql-${major} in the sources of ${from}: ${lastLine(planned)}`;
  const packages = [...planned.stdout.matchAll(/^Inst (\S+)/gm)]
    .map(([, name]) => name)
    .filter((name) => /^(lib|zlib|postgresql-\d|postgresql-client-\d)/.test(name) && !NOT_NEEDED.test(name));
  const fetched = apt('apt-get', '-q', 'download', ...packages);
  if (fetched.status !== 0) return `apt-get could not download PostgreSQL ${major} of ${from}: ${lastLine(fetched)}`;
  for (const file of readdirSync(join(folder, 'debs'))) {
    const unpacked = run('dpkg-deb', ['-x', join(folder, 'debs', file), join(folder, 'root')], folder);
    if (unpacked.status !== 0) throw new Error(`${file} cannot be unpacked: ${lastLine(unpacked)}`);
  }
  writeFileSync(join(folder, 'root', ASKED), EXTENSIONS.join('\n'));
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
