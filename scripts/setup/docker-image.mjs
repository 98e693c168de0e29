// Makes a file system with PostgreSQL from Debian's packages that `docker import` takes. It stands in for the official image, which
// tests cannot pull: the same account, another entry point, Debian's layout.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { debianMirror } from './debian-mirror.mjs';

/**
 * @param {number} major
 * @param {string} release of Debian, which has that major
 * @param {(message: string) => never} fail
 * @returns {string} path of an archive; kept for the next time, in a folder that git ignores
 */
export function prepareImage(major, release, fail) {
  const mirror = debianMirror() ?? fail('This host has no apt sources of Debian to take a mirror from.');
  const packages = [`postgresql-${major}`, `postgresql-client-${major}`];
  const recipe = createHash('sha256')
    .update(`${release} ${packages.join(' ')} 2`)
    .digest('hex')
    .slice(0, 8);
  const cache = fileURLToPath(new URL('../../.flux-images', import.meta.url));
  const final = join(cache, `postgres-${major}-${recipe}.tar`);
  if (existsSync(final)) return final;
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, '.making-'));
  try {
    const system = join(folder, 'system');
    // debootstrap knows every release by the same script; an older one may not know the name of a newer release.
    const scripts = '/usr/share/debootstrap/scripts';
    const known = existsSync(join(scripts, release)) ? [] : [join(scripts, 'sid')];
    run('debootstrap', ['--variant=minbase', `--include=${packages.join(',')}`, release, system, mirror.uri, ...known], fail);
    // The packages make and fill a cluster of their own, which would be copied into every new volume.
    for (const path of [
      `var/lib/postgresql/${major}`,
      'var/cache/apt',
      'var/lib/apt/lists',
      'usr/share/doc',
      'usr/share/man',
      'usr/lib/llvm-14',
      'usr/lib/llvm-19',
    ])
      rmSync(join(system, path), { recursive: true, force: true });
    run('sh', ['-c', 'rm -f "$1"/usr/lib/postgresql/*/lib/llvmjit.so "$1"/usr/lib/*/libLLVM*', 'sh', system], fail);
    const archive = join(folder, 'image.tar');
    run('tar', ['-C', system, '--exclude=./dev/*', '--exclude=./proc/*', '--exclude=./sys/*', '-cf', archive, '.'], fail);
    renameSync(archive, final);
    return final;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function run(program, args, fail) {
  const { status, error, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', timeout: 900_000, maxBuffer: 2 ** 26 });
  if (status !== 0) fail(`${program} failed: ${error?.message ?? `${stdout}\n${stderr}`.trim().split('\n').slice(-5).join('\n')}`);
}
