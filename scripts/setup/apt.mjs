// Installs Debian's packages, as root.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** Whether a program is on the PATH. */
export function existsOnPath(program) {
  return (process.env.PATH ?? '').split(':').some((folder) => folder !== '' && existsSync(join(folder, program)));
}

/**
 * Installs packages; what apt says goes to stderr.
 *
 * @param {string[]} packages
 * @returns {boolean} whether they are installed
 */
export function installPackages(packages) {
  process.stderr.write(`Installing ${packages.join(' and ')} (once) ...\n`);
  const apt = (...args) =>
    spawnSync('apt-get', ['-y', '-qq', '-o', 'Dpkg::Use-Pty=0', ...args], {
      stdio: ['ignore', 2, 2],
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    }).status === 0;
  // Lists that are older than the mirror name packages that it has no more; without any lists there is nothing to install.
  apt('update');
  return apt('install', '--no-install-recommends', ...packages);
}
