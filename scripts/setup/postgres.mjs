// Finds PostgreSQL's server and client programs, and installs Debian's when they are missing and we may.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const DEBIAN = '/usr/lib/postgresql';
const SERVER_PROGRAMS = ['postgres', 'initdb', 'pg_dump', 'pg_restore'];
const NO_CLUSTER = '/etc/postgresql-common/createcluster.d/flux-setup.conf';

/** @param {(message: string) => never} fail */
export async function preparePostgres(fail) {
  const hasPostgres = findPostgres();
  const hasSandbox = existsOnPath('bwrap') || existsOnPath('unshare');
  if (hasPostgres && hasSandbox) return;
  const packages = [...(hasPostgres ? [] : [debianPackage()]), ...(hasSandbox ? [] : ['bubblewrap'])];
  const isRoot = process.getuid?.() === 0;
  const typed = `${isRoot ? '' : 'sudo '}apt-get update && ${isRoot ? '' : 'sudo '}apt-get install ${packages.join(' ')}`;
  if (!existsOnPath('apt-get')) {
    fail(
      `Flux needs the PostgreSQL server and client programs and bubblewrap, and they are not here.\nInstall them with your system's package manager, or name their folder: FLUX_POSTGRES_BIN_DIRS=/path/to/bin`,
    );
  }
  if (!isRoot)
    fail(
      `Flux needs ${packages.join(' and ')}, and only root may install packages. Type:\n\n  ${typed}\n\nor name a folder that has the programs: FLUX_POSTGRES_BIN_DIRS=/path/to/bin`,
    );
  install(packages, typed, fail);
}

/** Postgres in Debian's layout, on the PATH, or in a folder of the setting. */
function findPostgres() {
  const majors = existsSync(DEBIAN) ? readdirSync(DEBIAN).map((major) => join(DEBIAN, major, 'bin')) : [];
  const named = (process.env.FLUX_POSTGRES_BIN_DIRS ?? '').split(':').filter((folder) => folder !== '');
  const folders = [
    ...named,
    ...named.flatMap((folder) => (existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name, 'bin')) : [])),
    ...majors,
  ];
  return (
    folders.some((folder) => SERVER_PROGRAMS.every((program) => existsSync(join(folder, program)))) || SERVER_PROGRAMS.every(existsOnPath)
  );
}

function existsOnPath(program) {
  return (process.env.PATH ?? '').split(':').some((folder) => folder !== '' && existsSync(join(folder, program)));
}

/** The package of PostgreSQL 15 where the release has it, else whatever major the release has. */
function debianPackage() {
  const { stdout = '' } = spawnSync('apt-cache', ['policy', 'postgresql-15'], { encoding: 'utf8' });
  return /Candidate: \d/.test(stdout) || stdout === '' ? 'postgresql-15' : 'postgresql';
}

function install(packages, typed, fail) {
  process.stderr.write(`Installing ${packages.join(' and ')} (once) ...\n`);
  const apt = (args) =>
    spawnSync('apt-get', ['-y', '-qq', '-o', 'Dpkg::Use-Pty=0', ...args], {
      stdio: ['ignore', 2, 2],
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    }).status === 0;
  // Debian's package would make and start a cluster of its own on port 5432; Flux neither needs nor wants it.
  mkdirSync('/etc/postgresql-common/createcluster.d', { recursive: true });
  writeFileSync(NO_CLUSTER, 'create_main_cluster = false\n');
  try {
    apt(['update']);
    if (!apt(['install', '--no-install-recommends', ...packages]))
      fail(`apt-get could not install ${packages.join(' and ')}. Try by hand:\n\n  ${typed}\n`);
  } finally {
    rmSync(NO_CLUSTER, { force: true });
  }
}
