// Finds PostgreSQL's server and client programs, and installs Debian's when they are missing and we may.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { existsOnPath, installPackages } from './apt.mjs';

const DEBIAN = '/usr/lib/postgresql';
const SERVER_PROGRAMS = ['postgres', 'initdb', 'pg_dump', 'pg_restore'];
const NO_CLUSTER = '/etc/postgresql-common/createcluster.d/flux-setup.conf';

/** @param {(message: string) => never} fail */
export function preparePostgres(fail) {
  if (findPostgres()) return;
  const otherwise = 'name the folder of its programs: FLUX_POSTGRES_BIN_DIRS=/path/to/bin';
  if (!existsOnPath('apt-get'))
    fail(
      `Flux needs the PostgreSQL server and client programs, and they are not here.\nInstall them with your system's package manager, or ${otherwise}`,
    );
  const name = debianPackage();
  if (process.getuid?.() !== 0)
    fail(
      `Flux needs ${name}, and only root may install packages. Type:\n\n  sudo apt-get update && sudo apt-get install ${name}\n\nor ${otherwise}`,
    );
  install(name, fail);
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

/** The package of PostgreSQL 15 where the release has it, else whatever major the release has. */
function debianPackage() {
  const { stdout = '' } = spawnSync('apt-cache', ['policy', 'postgresql-15'], { encoding: 'utf8' });
  return /Candidate: \d/.test(stdout) || stdout === '' ? 'postgresql-15' : 'postgresql';
}

function install(name, fail) {
  // Debian's package would make and start a cluster of its own on port 5432; Flux neither needs nor wants it.
  mkdirSync('/etc/postgresql-common/createcluster.d', { recursive: true });
  writeFileSync(NO_CLUSTER, 'create_main_cluster = false\n');
  try {
    if (!installPackages([name]))
      fail(`apt-get could not install ${name}; its own words are above. Try by hand:\n\n  apt-get update && apt-get install ${name}\n`);
  } finally {
    rmSync(NO_CLUSTER, { force: true });
  }
}
