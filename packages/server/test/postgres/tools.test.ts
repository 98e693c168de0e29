import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findPostgresTools, parseVersion } from '../../src/postgres/tools.ts';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'flux-tools-'));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

describe('findPostgresTools', () => {
  it('finds the programs of this host, all of one major, which answer to their version', async () => {
    const toolbox = await findPostgresTools([]);
    const major = toolbox.majors()[0];
    if (major === undefined) throw new Error('these tests need PostgreSQL on this host');
    const tools = toolbox.require(major, 'both');
    expect(tools.major).toBe(major);
    expect(tools.version).toMatch(new RegExp(`^${major}\\.`));
    for (const path of [tools.postgres, tools.initdb, tools.pgDump, tools.pgRestore]) expect(path).toMatch(/^\//);
  });

  it('names the package, the folders that were searched and the majors that are here', async () => {
    const toolbox = await findPostgresTools([folder]);
    const here = toolbox.majors();
    expect(() => toolbox.require(99, 'both')).toThrow(
      expect.objectContaining({
        code: 'postgres_missing',
        message: expect.stringContaining('PostgreSQL 99'),
        hint: expect.stringContaining('apt-get install postgresql-99'),
        details: expect.objectContaining({ majorsHere: here, searched: expect.arrayContaining([folder]) }),
      }),
    );
    expect(() => toolbox.require(99, 'client')).toThrow(expect.objectContaining({ hint: expect.stringContaining('postgresql-client-99') }));
  });

  it('puts a given folder before the places of the distribution, and combines client and server by major', async () => {
    const host = await findPostgresTools([]);
    const real = host.require(host.majors()[0] as number, 'both');
    const bin = join(folder, 'client-only', String(real.major), 'bin');
    await mkdir(bin, { recursive: true });
    for (const [name, path] of Object.entries({ pg_dump: real.pgDump, pg_restore: real.pgRestore }))
      await symlink(path as string, join(bin, name));

    const tools = (await findPostgresTools([join(folder, 'client-only')])).require(real.major, 'both');

    expect(tools.pgDump).toBe(join(bin, 'pg_dump'));
    expect(tools.postgres).toBe(real.postgres);
    expect(tools.binFolder).toBe(real.binFolder);
  });

  it('takes a bin folder given as such', async () => {
    const host = await findPostgresTools([]);
    const real = host.require(host.majors()[0] as number, 'both');
    const bin = join(folder, 'plain');
    await mkdir(bin);
    await symlink(real.pgDump as string, join(bin, 'pg_dump'));
    expect((await findPostgresTools([bin])).require(real.major, 'client').pgDump).toBe(join(bin, 'pg_dump'));
  });

  it('passes over wrapper scripts and programs that do not start', async () => {
    const bin = join(folder, 'broken');
    await mkdir(bin);
    await writeFile(join(bin, 'pg_dump'), '#!/bin/sh\necho "pg_dump (PostgreSQL) 98.1"\n');
    await writeFile(join(bin, 'postgres'), 'not a program');
    await chmod(join(bin, 'pg_dump'), 0o755);
    await chmod(join(bin, 'postgres'), 0o755);
    const toolbox = await findPostgresTools([], bin);
    expect(() => toolbox.require(98, 'client')).toThrow(expect.objectContaining({ code: 'postgres_missing' }));
  });

  it('takes wrapper scripts from a folder that the operator has named', async () => {
    const bin = join(folder, 'wrapped', '97', 'bin');
    await mkdir(bin, { recursive: true });
    for (const name of ['pg_dump', 'pg_restore']) {
      await writeFile(join(bin, name), `#!/bin/sh\necho "${name} (PostgreSQL) 97.1"\n`);
      await chmod(join(bin, name), 0o755);
    }
    const toolbox = await findPostgresTools([join(folder, 'wrapped')]);
    expect(toolbox.require(97, 'client').pgDump).toBe(join(bin, 'pg_dump'));
  });

  it('looks into the search path that it is given', async () => {
    const toolbox = await findPostgresTools([], `/nowhere:${folder}`);
    expect(() => toolbox.require(99, 'both')).toThrow(
      expect.objectContaining({ details: expect.objectContaining({ searched: expect.arrayContaining(['/nowhere', folder]) }) }),
    );
  });
});

describe('parseVersion', () => {
  it.each([
    ['postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)', { major: 15, version: '15.18' }],
    ['pg_dump (PostgreSQL) 19devel', { major: 19, version: '19devel' }],
    ['pg_restore (PostgreSQL) 18beta2', { major: 18, version: '18beta2' }],
    ['something else 15', undefined],
  ])('reads %j', (text, expected) => {
    expect(parseVersion(text)).toEqual(expected);
  });
});
