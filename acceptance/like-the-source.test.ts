import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Flux, startFlux } from './harness/flux.ts';
import { psql, startThrowAwayCluster, type ThrowAwayCluster } from './harness/postgres.ts';

/** Locales that this host lacks, for the server of a source. Without the definitions of glibc none can be made. */
const LACKED = 'fy_NL.UTF-8';
const locales = mkdtempSync(join(tmpdir(), 'flux-locales-'));
chmodSync(locales, 0o755);
const hasDefinitions = existsSync('/usr/share/i18n/locales/fy_NL');
if (hasDefinitions) execFileSync('localedef', ['-i', 'fy_NL', '-f', 'UTF-8', join(locales, LACKED)], { stdio: 'ignore' });
const hasLocale = execFileSync('locale', ['-a'], { encoding: 'utf8' }).includes('fy_NL.utf8');

let flux: Flux;
let elsewhere: ThrowAwayCluster;

beforeAll(async () => {
  [flux, elsewhere] = await Promise.all([
    startFlux(),
    startThrowAwayCluster({
      env: hasDefinitions ? { LOCPATH: locales } : {},
      settings: { shared_preload_libraries: 'pg_stat_statements' },
    }),
  ]);
}, 120_000);
afterAll(async () => {
  await flux?.[Symbol.asyncDispose]();
  await elsewhere?.[Symbol.asyncDispose]();
  rmSync(locales, { recursive: true, force: true });
});

/** Creates a database at the source, attaches it and backs it up; the flags that name the project. */
async function attach(slug: string, options: string, sql: string): Promise<string[]> {
  const name = slug.replaceAll('-', '_');
  await psql(elsewhere.uri('postgres'), `create database ${name} template template0 ${options}`);
  await psql(elsewhere.uri(name), sql);
  await succeed(['create', slug, '--attach'], { FLUX_ATTACH_URI: elsewhere.uri(name) });
  const listed = JSON.parse(await succeed(['list', '--json'])) as { slug: string; hash: string }[];
  const flags = ['--project', slug, '--hash', listed.find((project) => project.slug === slug)?.hash ?? ''];
  await succeed(['backup', 'create', ...flags]);
  return flags;
}

async function succeed(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string> {
  const ended = await flux.fluxWith({ env }, ...args);
  expect(ended.stderr + ended.stdout, `flux ${args.join(' ')}`).toSatisfy(() => ended.exitCode === 0);
  return ended.stdout;
}

/** Verifies the newest backup, which must be Restorable, restores it into a new project, and gives the URI of that. */
async function verifyAndRestore(flags: readonly string[], into: string): Promise<string> {
  const verified = await succeed(['backup', 'verify', ...flags, '--latest']);
  expect(verified).toContain('✓ Restorable');
  expect(verified).not.toMatch(/collate|collationVersion|localeProvider|icuRules/);
  await succeed(['backup', 'restore', ...flags, '--latest', '--into', into, '--yes']);
  const listed = JSON.parse(await succeed(['list', '--json'])) as { slug: string; hash: string }[];
  const hash = listed.find(({ slug }) => slug === into)?.hash ?? '';
  return (await succeed(['project', 'credentials', into, '--hash', hash, '--field', 'postgres.url'])).trim();
}

const LOCALE = `select datcollate, datctype, datlocprovider, to_jsonb(d)->>'daticulocale', to_jsonb(d)->>'datlocale', to_jsonb(d)->>'daticurules',
  pg_encoding_to_char(encoding) from pg_database d where datname = current_database()`;

describe('a database whose text is sorted by ICU', () => {
  it('is proven and comes back with the same order, ranges of text and checks', async () => {
    const flags = await attach(
      'sorted',
      `encoding utf8 locale 'C.UTF-8' locale_provider icu icu_locale 'de-DE-x-icu'`,
      `create table people (name text primary key, n int, check (name < 'zz'));
       insert into people values ('anna', 1), ('Bert', 2), ('Zoe', 3), ('emil', 4), ('Ümit', 5);
       create table parts (name text, n int) partition by range (name);
       create table parts_am partition of parts for values from ('a') to ('n');
       create table parts_nz partition of parts for values from ('n') to (maxvalue);
       insert into parts select * from people;
       create materialized view sorted as select string_agg(name, ',' order by name) as names from people;`,
    );
    const order = `select string_agg(name, ',' order by name) || (select string_agg(tableoid::regclass || ' ' || name, ',' order by name) from parts) from people`;
    const source = elsewhere.uri('sorted');
    const copy = await verifyAndRestore(flags, 'sorted-copy');
    expect(await psql(source, order)).toContain('anna,Bert,emil,Ümit,Zoe');
    expect(await psql(copy, order)).toBe(await psql(source, order));
    expect(await psql(copy, LOCALE)).toBe(await psql(source, LOCALE));
  });

  it('is restored in place, and an empty one is put in its place, with the same order', async () => {
    const project = (await succeed(['list', '--json'])).match(/"slug": *"sorted-copy"[^}]*?"hash": *"([0-9a-f]+)"/s)?.[1] ?? '';
    const flags = ['--project', 'sorted-copy', '--hash', project];
    const uri = (await succeed(['project', 'credentials', 'sorted-copy', '--hash', project, '--field', 'postgres.url'])).trim();
    await succeed(['backup', 'create', ...flags, '--verify']);
    await succeed(['backup', 'restore', ...flags, '--latest', '--in-place', '--yes']);
    expect(await psql(uri, LOCALE)).toBe(await psql(elsewhere.uri('sorted'), LOCALE));
  });

  it('is told to sort otherwise in a database that somebody else has made', async () => {
    const flags = [
      '--project',
      'sorted',
      '--hash',
      JSON.parse(await succeed(['list', '--json'])).find((p: { slug: string }) => p.slug === 'sorted').hash,
    ];
    await psql(elsewhere.uri('postgres'), `create database plain template template0 encoding utf8 locale 'C.UTF-8'`);
    await psql(elsewhere.uri('plain'), 'select 1');
    const restored = await flux.fluxWith(
      { env: { FLUX_RESTORE_URI: elsewhere.uri('plain') } },
      'backup',
      'restore',
      ...flags,
      '--latest',
      '--to',
      elsewhere.uri('plain'),
      '--yes',
    );
    expect(restored.stdout + restored.stderr).toMatch(/localeProvider is libc, at the source icu|violates (check|partition) constraint/);
  });
});

it('keeps the encoding of a database that is not UTF8', async () => {
  const flags = await attach(
    'latin',
    `encoding 'LATIN1' locale 'C'`,
    `create table "größe" (id int primary key, "straße" text default 'ß'); insert into "größe" values (1, 'Köln'), (2, default);
     comment on table "größe" is 'Maße'; create type "farbe" as enum ('grün', 'weiß');`,
  );
  const copy = await verifyAndRestore(flags, 'latin-copy');
  expect(await psql(copy, LOCALE)).toBe(await psql(elsewhere.uri('latin'), LOCALE));
  expect(await psql(copy, `select string_agg("straße", ',' order by id) from "größe"`)).toBe('Köln,ß\n');
});

it('loads the libraries that the source loads at its start, where its extensions need them', async () => {
  const flags = await attach(
    'preloaded',
    `locale 'C.UTF-8'`,
    `create extension pg_stat_statements; create table t (a int); insert into t values (1);
     create materialized view fine as select count(*) >= 0 as fine from pg_stat_statements;`,
  );
  // Without the library this view is an error; the copy's server has loaded it, for its whole life.
  const copy = await verifyAndRestore(flags, 'preloaded-copy');
  expect(await psql(copy, 'select count(*) >= 0 from pg_stat_statements; table fine')).toBe('t\nt\n');
  await succeed(['project', 'stop', 'preloaded-copy']);
  await succeed(['project', 'start', 'preloaded-copy']);
  expect(await psql(copy, 'select count(*) >= 0 from pg_stat_statements')).toBe('t\n');
});

it('says all that this host lacks, and what to install, and blames no backup for it', async () => {
  const flags = await attach(
    'lacking',
    `locale 'C.UTF-8'`,
    // As they are in the catalogs of a server that has them.
    `create extension citext; create table items (id int, e citext);
     update pg_extension set extname = 'vector' where extname = 'citext';
     create text search dictionary en_hun (template = simple); create text search configuration en (copy = english);
     update pg_ts_dict set dicttemplate = (select oid from pg_ts_template where tmplname = 'ispell'), dictinitoption = 'dictfile = ''fy_nl'', afffile = ''fy_nl''' where dictname = 'en_hun'`,
  );
  const verified = await flux.flux('backup', 'verify', ...flags, '--latest');
  const said = verified.stdout + verified.stderr;
  expect([verified.exitCode, said]).toEqual([
    10,
    expect.stringMatching(/the extension vector.*text search dictionary public\.en_hun.*apt-get install postgresql-\d+-pgvector/s),
  ]);
  expect(said).not.toContain('Do not rely');
  // A restore into a project says so before it changes anything.
  const into = await flux.flux('backup', 'restore', ...flags, '--latest', '--into', 'lacking-copy');
  expect([into.exitCode, into.stderr]).toEqual([1, expect.stringMatching(/the extensions vector\. Nothing was changed.*-pgvector/s)]);
  expect(await succeed(['list', '--json'])).not.toContain('lacking-copy');
  const [backup] = JSON.parse(await succeed(['backup', 'list', ...flags, '--json'])).backups;
  expect(backup.restoreVerificationStatus).toBe('pending');
});

describe.skipIf(!hasDefinitions || hasLocale)('a locale of the source that this host lacks', () => {
  const command = `localedef -i fy_NL -f UTF-8 ${LACKED}`;
  const inconclusive = async (flags: readonly string[], into: string) => {
    const verified = await flux.flux('backup', 'verify', ...flags, '--latest');
    expect([verified.exitCode, verified.stdout + verified.stderr]).toEqual([10, expect.stringContaining(command)]);
    const restored = await flux.flux('backup', 'restore', ...flags, '--latest', '--into', into, '--yes');
    expect([restored.exitCode, restored.stderr]).toEqual([10, expect.stringContaining(command)]);
    expect(restored.stderr).not.toContain('Unexpected error');
    expect(await succeed(['list', '--json'])).not.toContain(into);
    expect(JSON.parse(await succeed(['backup', 'list', ...flags, '--json'])).backups[0].restoreVerificationStatus).not.toBe(
      'restore_failed',
    );
  };

  it('makes a verification inconclusive and a restore impossible, and both say how to add it', async () => {
    const flags = await attach(
      'frisian',
      `lc_collate '${LACKED}' lc_ctype '${LACKED}'`,
      `create table names (id int primary key, name text unique)`,
    );
    await inconclusive(flags, 'frisian-copy');
  });

  it('does so too when amounts of money are written in it, and not when there are none', async () => {
    const flags = await attach('amounts', `locale 'C.UTF-8'`, `alter database amounts set lc_monetary = '${LACKED}'`);
    expect((await flux.flux('backup', 'verify', ...flags, '--latest')).exitCode).toBe(0);
    await psql(
      elsewhere.uri('amounts'),
      'create table prices (id int primary key, p money); insert into prices values (1, 1234.56::numeric::money), (2, (-7.5)::numeric::money)',
    );
    await succeed(['backup', 'create', ...flags]);
    await inconclusive(flags, 'amounts-copy');
  });
});
