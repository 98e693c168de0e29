import { chmod, copyFile, mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sandboxPathsOf } from '../../src/postgres/sandbox-paths.ts';
import type { PostgresTools } from '../../src/postgres/target.ts';
import { findPostgresTools } from '../../src/postgres/tools.ts';

let folder: string;
let real: PostgresTools;

beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'flux-paths-')));
  const host = await findPostgresTools([]);
  real = host.require(host.majors()[0] as number, 'both');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('what a sandbox shows', () => {
  it('includes programs behind symbolic links, and no path twice', async () => {
    const bin = join(folder, 'linked');
    await mkdir(bin);
    await symlink(real.pgRestore as string, join(bin, 'pg_restore'));
    const paths = await sandboxPathsOf({ ...real, pgRestore: join(bin, 'pg_restore') });
    expect(paths).toContain(bin);
    expect(paths.some((path) => (real.postgres as string).startsWith(`${path}/`))).toBe(true);
    expect(paths).not.toContain('/etc');
    expect(paths).not.toContain('/');
    for (const path of paths) expect(paths.filter((other) => `${path}/`.startsWith(`${other}/`))).toEqual([path]);
  });

  it('includes the files that links in the folders of Postgres lead to, each hop of them, and no folder', async () => {
    const prefix = join(folder, 'pg');
    const [bin, share, elsewhere] = [join(prefix, 'bin'), join(prefix, 'share/x'), join(folder, 'elsewhere')];
    for (const path of [bin, join(share, 'tsearch_data'), join(elsewhere, 'home')]) await mkdir(path, { recursive: true });
    const program = join(bin, 'postgres');
    await writeFile(program, '#!/bin/sh\n');
    await writeFile(join(bin, 'pg_config'), `#!/bin/sh\necho ${share}\n`);
    for (const name of ['postgres', 'pg_config']) await chmod(join(bin, name), 0o755);
    await writeFile(join(elsewhere, 'frisian.affix'), 'SFX');
    await symlink(join(elsewhere, 'frisian.affix'), join(elsewhere, 'hop'));
    await symlink(join(elsewhere, 'hop'), join(share, 'tsearch_data/frisian.affix'));
    await symlink(join(elsewhere, 'home'), join(share, 'tsearch_data/folder'));
    await symlink('loop', join(share, 'tsearch_data/loop'));
    const tools = { ...real, postgres: program, initdb: undefined, pgDump: undefined, pgRestore: undefined };
    const paths = await sandboxPathsOf(tools);
    expect(paths.filter((path) => path.startsWith(elsewhere)).sort()).toEqual([join(elsewhere, 'frisian.affix'), join(elsewhere, 'hop')]);
  });

  it('never includes what a source names that is no library, or is not where libraries are', async () => {
    const library = join(folder, 'library.so');
    await copyFile('/bin/true', library);
    const named = [
      '/etc/shadow',
      '/root/.ssh/id_rsa',
      '/home',
      '/opt',
      '/opt/../etc/shadow',
      'relative.so',
      '/dev/zero',
      library,
      '$libdir/x',
    ];
    expect(await sandboxPathsOf(real, named)).toEqual(await sandboxPathsOf(real));
  });

  it.runIf(process.getuid?.() === 0)('includes a library of a source in a folder for software, alone', async () => {
    const place = await mkdtemp('/opt/flux-test-');
    try {
      await copyFile('/bin/true', join(place, 'library.so'));
      await writeFile(join(place, 'secret.so'), 'not a library');
      await symlink('/etc/shadow', join(place, 'link.so'));
      const named = ['library.so', 'secret.so', 'link.so'].map((name) => join(place, name));
      expect((await sandboxPathsOf(real, named)).filter((path) => path.startsWith('/opt'))).toEqual([join(place, 'library.so')]);
    } finally {
      await rm(place, { recursive: true });
    }
  });
});
