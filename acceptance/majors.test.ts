import { realpathSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { prepareMajor, prepareNewestMinor } from '../scripts/setup/second-major.mjs';
import { type Flux, ROOT, startFlux, type TestProject } from './harness/flux.ts';
import { psql, startThrowAwayCluster } from './harness/postgres.ts';
import { run } from './harness/process.ts';

// Downloads the first time; afterwards it is a look at a folder.
const majors = [15, 17].map((major) => ({ major, prepared: prepareMajor(major) }));
const folders = majors.flatMap(({ prepared }) => ('bin' in prepared && prepared.bin !== undefined ? [prepared.bin] : []));
const refused = majors.flatMap(({ prepared }) => ('refused' in prepared && prepared.refused !== undefined ? [prepared.refused] : []));
for (const reason of refused) process.stderr.write(`\n*** SKIPPED: two majors side by side are NOT tested here. ${reason}\n\n`);

describe.skipIf(refused.length > 0)('two majors side by side', () => {
  let flux: Flux;
  const projects = new Map<string, TestProject>();
  const both = { FLUX_POSTGRES_BIN_DIRS: folders.join(':'), FLUX_LOG_LEVEL: 'warn' };
  const flags = (slug: string) => projects.get(slug)?.flags ?? [];
  const succeed = async (...args: string[]) => {
    const ended = await flux.flux(...args);
    expect(ended.stderr + ended.stdout, `flux ${args.join(' ')}`).toSatisfy(() => ended.exitCode === 0);
    return ended.stdout;
  };
  const create = async (slug: string, mode: 'v1_dedicated' | 'v2_shared') => {
    projects.set(slug, await flux.createProject(slug, mode));
    await succeed('push', join(ROOT, 'examples/bloom-atelier/migrations'), ...flags(slug));
  };
  const restart = async (env: Readonly<Record<string, string>>) => {
    await flux.stop();
    await flux.start(env);
  };
  const newest = async (slug: string) => JSON.parse(await succeed('backup', 'list', ...flags(slug), '--json')).backups[0];

  beforeAll(async () => {
    flux = await startFlux({ env: { ...both, FLUX_POSTGRES_MAJOR: '15' } });
    await create('elder', 'v1_dedicated');
    await restart({ FLUX_POSTGRES_MAJOR: '17' });
    await create('younger', 'v1_dedicated');
    await create('tenant', 'v2_shared');
  });
  afterAll(async () => {
    await flux?.[Symbol.asyncDispose]();
  });

  it.each([
    ['elder', '15', 'gzip'],
    ['younger', '17', 'zstd'],
    ['tenant', '17', 'zstd'],
  ])('backs up and proves %s with the tools and a disposable server of PostgreSQL %s', async (slug, major, compression) => {
    await succeed('backup', 'create', ...flags(slug));
    const proof = JSON.parse(await succeed('backup', 'verify', ...flags(slug), '--latest', '--json'));

    expect(JSON.stringify(proof)).toMatch(new RegExp(`"postgresVersion":"${major}\\.`));
    expect((await newest(slug)).restoreVerificationStatus).toBe('restore_verified');
    expect(await headerOf(slug, major)).toMatchObject({ server: expect.stringMatching(`^${major}\\.`), compression });
  });

  it('names the package of a major that is not here, before anything is made', async () => {
    await restart({ FLUX_POSTGRES_MAJOR: '42' });

    const ended = await flux.flux('create', 'future', '--mode', 'v1_dedicated');

    expect(ended.exitCode).toBe(1);
    expect(ended.stderr).toContain('PostgreSQL 42 is needed');
    expect(ended.stderr).toContain('apt-get install postgresql-42');
    expect(await succeed('list')).not.toContain('future');
    await restart({ FLUX_POSTGRES_MAJOR: '17' });
  });

  it.skipIf(folders.includes('/usr/lib/postgresql/17/bin'))(
    'learns nothing about a backup whose major has gone, and says what to install',
    async () => {
      await restart({ FLUX_POSTGRES_BIN_DIRS: folders[0] ?? '', FLUX_POSTGRES_MAJOR: '15' });

      const verify = await flux.flux('backup', 'verify', ...flags('younger'), '--latest');
      const create = await flux.flux('backup', 'create', ...flags('younger'));

      expect(verify.exitCode).toBe(10);
      expect(verify.stdout + verify.stderr).toContain('apt-get install postgresql-17');
      expect(create.exitCode).toBe(1);
      expect(create.stderr).toContain('PostgreSQL 17 is needed');
      expect((await newest('younger')).restoreVerificationStatus).toBe('restore_verified');
      await restart({ FLUX_POSTGRES_MAJOR: '17' });
      await succeed('backup', 'verify', ...flags('younger'), '--latest');
    },
  );

  /** What pg_restore of that major says about the newest archive. */
  async function headerOf(slug: string, major: string) {
    const path = join(flux.folder, `${slug}.dump`);
    rmSync(path, { force: true });
    await succeed('backup', 'download', ...flags(slug), '--latest', '-o', path);
    const bin = folders[majors.findIndex((one) => String(one.major) === major)] ?? '';
    const { stdout } = await run(join(bin, 'pg_restore'), ['--list', path]);
    const field = (name: string) => new RegExp(`^;\\s+${name}: (\\S+)`, 'm').exec(stdout)?.[1];
    // Before 16 there is gzip and nothing else, and the header gives its level.
    const compression = field('Compression')?.replace(/^-?\d+$/, 'gzip');
    return { server: field('Dumped from database version'), compression };
  }
});

const host = '/usr/lib/postgresql/15/bin';
const minors = prepareNewestMinor(15);
const newer = 'bin' in minors && minors.bin !== undefined ? realpathSync(minors.bin) : undefined;
if (newer === undefined)
  process.stderr.write(
    `\n*** SKIPPED: two minor releases of one major. ${'refused' in minors ? minors.refused : 'The newest is installed.'}\n\n`,
  );

// What a release may break is what it writes into its catalogs: 15.20 and 17.12 add an option to each column.
describe.skipIf(newer === undefined)('two minor releases of one major', () => {
  /** Attaches a database of one release to a Flux with the tools of another, and verifies a backup of it. */
  const verify = async (source: string, tools: string) => {
    await using elsewhere = await startThrowAwayCluster({ bin: source });
    await psql(elsewhere.uri('postgres'), 'create database app');
    await psql(
      elsewhere.uri('app'),
      `create table orders (id int generated always as identity primary key, note text default 'none' check (note <> ''));
       insert into orders (note) select 'order ' || i from generate_series(1, 100) i; create view recent as select * from orders where id > 90;`,
    );
    await using mixed = await startFlux({ env: { FLUX_POSTGRES_BIN_DIRS: tools, FLUX_POSTGRES_MAJOR: '15' } });
    const attached = await mixed.fluxWith({ env: { FLUX_ATTACH_URI: elsewhere.uri('app') } }, 'create', 'app', '--attach');
    expect(attached.stderr + attached.stdout).toSatisfy(() => attached.exitCode === 0);
    const [{ hash }] = JSON.parse((await mixed.flux('list', '--json')).stdout) as [{ hash: string }];
    return await mixed.flux('backup', 'create', '--project', 'app', '--hash', hash, '--verify');
  };

  it('proves a source that is older than the tools', async () => {
    const ended = await verify(host, newer ?? '');
    expect(ended.stderr + ended.stdout).toSatisfy(() => ended.exitCode === 0);
  });

  it('blames no backup of a source that is newer than the tools, and says what to update', async () => {
    const ended = await verify(newer ?? '', host);
    if (ended.exitCode === 0) return;
    expect([ended.exitCode, ended.stdout]).toEqual([10, expect.stringContaining('apt-get install postgresql-15')]);
  });
});
