import { readFileSync } from 'node:fs';
import type { BackupScope } from '@flux/contract/backup-scope';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectPostgres } from '../../src/postgres/connect.ts';
import { compareManifests } from '../../src/postgres/manifest/compare.ts';
import { measureRestored } from '../../src/postgres/manifest/measure.ts';
import { parseManifest } from '../../src/postgres/manifest/schema.ts';
import { choosePart } from '../../src/postgres/manifest/selection/part.ts';
import { lookAtSource } from '../../src/postgres/source-look.ts';
import { startCluster, type TestCluster } from './cluster.ts';
import { type RoundTrip, roundTrip } from './round-trip.ts';

let from: TestCluster;
let to: TestCluster;
let number = 0;

beforeAll(async () => {
  [from, to] = await Promise.all([startCluster(), startCluster({}, 'restorer')]);
  await from.createDatabase('hosted');
  await from.run('hosted', readFileSync(new URL('selection.sql', import.meta.url), 'utf8'));
});
afterAll(async () => {
  await from?.[Symbol.asyncDispose]();
  await to?.[Symbol.asyncDispose]();
});

const scopeOf = (scope: Partial<BackupScope>): BackupScope => ({ schemas: [], excludeSchemas: [], excludeTableData: [], ...scope });

async function there(scope: Partial<BackupScope>, database = 'hosted', user = 'app_login'): Promise<RoundTrip> {
  const source = { ...from.superuser(database), user };
  return await roundTrip({ from, to, source, scope: scopeOf(scope), restored: `restored_${++number}` });
}

async function choose(scope: Partial<BackupScope>, database = 'hosted') {
  await using session = await connectPostgres(from.superuser(database));
  return await choosePart(session, scopeOf(scope), [], 'every pattern');
}

async function refusal(scope: Partial<BackupScope>, database = 'hosted') {
  return await choose(scope, database).then(
    () => undefined,
    ({ message, hint, details }: Error & { hint: string; details: { excerpt?: string } }) => ({ message, hint, excerpt: details.excerpt }),
  );
}

async function ask(sql: string): Promise<readonly object[]> {
  await using session = await connectPostgres(to.superuser(`restored_${number}`));
  return await session.query(sql);
}

const failures = ({ comparison }: RoundTrip) => comparison.differences.filter(({ judgement }) => judgement === 'failure');
const named = ({ comparison }: RoundTrip) =>
  comparison.differences.filter(({ judgement }) => judgement === 'left_out').map(({ kind, name }) => `${kind} ${name}`);

describe('a part of a database comes back as it was', () => {
  it('without the schemas that the login may not read, and without the rows of a log', async () => {
    const trip = await there({ excludeSchemas: ['auth', 'vault'], excludeTableData: ['app.log*'] });

    expect(failures(trip)).toEqual([]);
    expect(named(trip)).toEqual(
      expect.arrayContaining(['schema auth', 'schema vault', 'rows app.log_2024', 'rows app.logs', 'materialized_view app.log_counts']),
    );
    expect(trip.comparison.differences.find(({ name }) => name === 'app.logs')?.expected).toBe(
      "The rows of app.logs, with its 2 partitions, are excluded by the project's settings.",
    );
    expect(await ask('select (select count(*) from app.logs) as logs, (select count(*) from app.orders) as orders')).toEqual([
      { logs: '0', orders: '100' },
    ]);
    // The sequence of a table without rows goes on where it was.
    expect(await ask('select last_value from app.logs_id_seq')).toEqual([{ last_value: '50' }]);
    // A policy calls a function of an excluded schema; it is made beforehand.
    expect(await ask(`select auth.uid() as uid, to_regclass('auth.users') as users, to_regclass('vault.secrets') as secrets`)).toEqual([
      { uid: null, users: null, secrets: null },
    ]);
    expect(await ask("select extname::text from pg_extension where extname <> 'plpgsql' order by 1")).toEqual([
      { extname: 'citext' },
      { extname: 'pgcrypto' },
      { extname: 'unaccent' },
    ]);
    expect(trip.comparison.objectsCompared).toMatchObject({ cast: 1, event_trigger: 1, large_object: 1 });
    // One of its tables is in an excluded schema.
    expect(named(trip)).toContain('publication changes');
  });

  it('as one schema, with the extensions that it needs and without what belongs to no schema', async () => {
    const trip = await there({ schemas: ['app'], excludeTableData: ['app.logs_private'] });

    expect(failures(trip)).toEqual([]);
    expect(named(trip)).toEqual(
      expect.arrayContaining([
        'schema public',
        'schema auth',
        'extension unaccent',
        'cast app.mood as integer',
        'event_trigger watch',
        'publication changes',
        'large_object large objects',
      ]),
    );
    expect(named(trip)).not.toContain('extension citext');
    expect(await ask('select extname::text from pg_extension order by 1')).toEqual([
      { extname: 'citext' },
      { extname: 'pgcrypto' },
      { extname: 'plpgsql' },
    ]);
    // A type of another schema is made beforehand, its table is not.
    expect(await ask(`select to_regtype('public.size')::text as size, to_regclass('public.notes') as notes`)).toEqual([
      { size: 'public.size', notes: null },
    ]);
  });

  it('as the schema public, which every database has already', async () => {
    const trip = await there({ schemas: ['public'] });

    expect(failures(trip)).toEqual([]);
    expect(await ask('select count(*) from public.notes')).toEqual([{ count: '3' }]);
    // The extensions that are installed in it come with it.
    expect(await ask(`select extname::text from pg_extension where extname in ('citext', 'unaccent', 'pgcrypto') order by 1`)).toEqual([
      { extname: 'citext' },
      { extname: 'unaccent' },
    ]);
  });

  it('by wildcards, capitals between quotes', async () => {
    const { selection } = await choose({ schemas: ['p*', '"Odd?.x"', 'APP'], excludeTableData: ['*."Big"', 'app.log_202?'] });
    expect(selection.schemas).toEqual(['Odd?.x', 'app', 'public']);
    expect(selection.withoutRows).toEqual(['"Odd?.x"."Big"', 'app.log_2024', 'app.log_2025']);
    const trip = await there({ schemas: ['"Odd?.x"'], excludeTableData: ['"Odd?.x"."Big"'] });
    expect(failures(trip)).toEqual([]);
    expect(named(trip)).toContain('rows "Odd?.x"."Big"');
    expect(await ask('select count(*) from "Odd?.x"."Big"')).toEqual([{ count: '0' }]);
  });

  it('and notices rows where none may be', async () => {
    const trip = await there({ excludeSchemas: ['auth', 'vault'], excludeTableData: ['app.log*'] });
    const manifest = parseManifest(JSON.stringify(trip.manifest));
    expect(manifest.tables.find(({ name }) => name === 'app.log_2024')).toMatchObject({ rows: 0, digest: '0', comparison: 'exact' });
    expect(manifest.selection?.wanted.excludeTableData).toEqual(['app.log*']);
    expect(manifest.tables.some(({ name }) => name.startsWith('auth.'))).toBe(false);
    const target = to.superuser(`restored_${number}`);
    await to.run(target.database, `insert into app.logs (at) values ('2024-01-01')`);
    const found = await measureRestored({ target, manifest, server: 'disposable', parallel: 1 });
    const { differences } = compareManifests(manifest, found);
    expect(differences.filter(({ judgement }) => judgement === 'failure').map(({ name }) => name)).toContain('app.log_2024');
  });

  it('when the database has everything that we could think of', async () => {
    await from.createDatabase('everything');
    await from.run('everything', readFileSync(new URL('everything.sql', import.meta.url), 'utf8'));
    for (const scope of [{ excludeSchemas: ['public'] }, { excludeTableData: ['*.*'] }])
      expect(failures(await there(scope, 'everything', 'postgres'))).toEqual([]);
    expect((await refusal({ schemas: ['public'] }, 'everything'))?.excerpt).toBe(
      [
        '  server elsewhere needs foreign-data wrapper nothing, which belongs to no schema and comes only with the whole database',
        '  foreign table public.remote needs server elsewhere, which belongs to no schema and comes only with the whole database',
      ].join('\n'),
    );
    await from.run('everything', 'drop server elsewhere cascade');
    const trip = await there({ schemas: ['public'] }, 'everything', 'postgres');
    expect(failures(trip)).toEqual([]);
    expect(named(trip)).toEqual(
      expect.arrayContaining(['event_trigger ddl', 'extension pgcrypto', 'default_privileges of app_owner on f']),
    );
  });
});

describe('what is chosen and cannot be backed up alone', () => {
  it('is refused with what it needs, and the option that cures it', async () => {
    await from.createDatabase('bound');
    await from.run(
      'bound',
      `create schema app; create schema auth; create table auth.users (id int primary key); create table app.profiles (id int references auth.users);
       create view app.people as select id from auth.users; create sequence auth.numbers; create table app.t (n int default nextval('auth.numbers'))`,
    );
    expect(await refusal({ excludeSchemas: ['auth'] }, 'bound')).toEqual({
      message: 'What is chosen needs what is not, so a backup of it would not restore.',
      excerpt: [
        '  table constraint profiles_id_fkey on app.profiles needs table auth.users, which is in the schema auth',
        '  default value for app.t.n needs sequence auth.numbers, which is in the schema auth',
      ].join('\n'),
      hint: 'Leave auth out of --exclude-schema; or exclude the schema of what needs it, too.',
    });
    expect((await refusal({ schemas: ['app'] }, 'bound'))?.hint).toBe('Add --schema auth.');
    expect(await refusal({ excludeTableData: ['auth.users'] }, 'bound')).toMatchObject({
      excerpt: '  foreign key profiles_id_fkey of app.profiles needs the rows of table auth.users, which are excluded',
      hint: 'Exclude the rows of app.profiles too, or do not exclude those of auth.users.',
    });
    expect(await refusal({ excludeTableData: ['auth.users', 'app.profiles'] }, 'bound')).toBeUndefined();
  });

  it('is refused when a pattern matches nothing, with the nearest names', async () => {
    expect(await refusal({ schemas: ['aap'] })).toMatchObject({
      message: '--schema aap matches no schema of the database.',
      hint: expect.stringMatching(/^The nearest names are app, /),
    });
    expect(await refusal({ excludeTableData: ['app.orderz'] })).toMatchObject({
      message: '--exclude-table-data app.orderz matches no table of the database.',
      hint: expect.stringMatching(/^The nearest names are app\.orders, /),
    });
    expect(await refusal({ excludeTableData: ['logs'] })).toMatchObject({ hint: expect.stringContaining('public.logs') });
    expect(await refusal({ schemas: ['a.b'] })).toMatchObject({ message: '--schema a.b is not the name of a schema.' });
    expect(await refusal({ schemas: ['"app'] })).toMatchObject({ message: 'The pattern "app has a double quote that is not closed.' });
    expect(await refusal({ schemas: ['(app'] })).toMatchObject({ message: '(app is not a pattern.' });
    expect(await refusal({ excludeSchemas: ['*'] })).toMatchObject({ message: 'No schema is left to be backed up.' });
  });
});

describe('what stands across the border of a part', () => {
  it('is made beforehand, named or does not matter', async () => {
    await from.createDatabase('border');
    await from.run(
      'border',
      `create schema app; create schema archive; create schema "we""ird.*"; create schema tools;
       create extension citext schema tools; create extension hstore schema tools;
       create table app.events (id int, at date, note tools.citext) partition by range (at);
       create table app.events_new partition of app.events for values from ('2025-01-01') to ('2026-01-01');
       create table archive.events_old partition of app.events for values from ('2024-01-01') to ('2025-01-01');
       insert into app.events values (1, '2024-06-01', 'Old'), (2, '2025-06-01', 'New');
       create table app.keys (id int primary key); insert into app.keys values (1);
       -- The other way round: something outside needs something inside.
       create table archive.uses (id int references app.keys); create view archive.recent as select * from app.events;
       create domain "we""ird.*".positive as int check (value > 0);
       create type tools.pair as (a int, b "we""ird.*".positive);
       create function tools.first(tools.pair) returns int language sql immutable begin atomic select ($1).a; end;
       create operator tools.# (function = tools.first, rightarg = tools.pair);
       create table app.pairs (p tools.pair, first int generated always as (tools.first(p)) stored, check (operator(tools.#) p > 0));
       insert into app.pairs (p) values ((1, 2)), ((3, 4));
       create function archive.note() returns trigger language plpgsql as 'begin return new; end';
       create trigger note before insert on app.keys for each row execute function archive.note();
       comment on trigger note on app.keys is 'a trigger'; comment on column app.keys.id is 'a column'; comment on schema archive is 'outside';
       comment on extension hstore is 'ours'; grant usage on schema archive to platform; grant select on archive.uses, app.keys to platform`,
    );
    for (const scope of [{ schemas: ['app'] }, { excludeSchemas: ['archive', 'tools', '"we""ird.*"'] }]) {
      const trip = await there(scope, 'border', 'postgres');
      expect(failures(trip)).toEqual([]);
      expect(named(trip)).toEqual(
        expect.arrayContaining(['rows archive.events_old', 'schema archive', 'schema tools', 'schema "we""ird.*"']),
      );
      expect(await ask('select count(*) from app.events')).toEqual([{ count: '1' }]);
      expect(await ask('select first from app.pairs order by 1')).toEqual([{ first: 1 }, { first: 3 }]);
      expect(await ask(`select count(*) from pg_extension where extname = 'hstore'`)).toEqual([{ count: 'schemas' in scope ? '0' : '1' }]);
    }
    await from.run('border', 'create publication keys for table app.keys');
    const rows = await there({ excludeSchemas: ['public'], excludeTableData: ['app.events'] }, 'border', 'postgres');
    expect(rows.comparison.objectsCompared.publication).toBe(1);
    expect(failures(rows)).toEqual([]);
    expect(await ask('select (select count(*) from app.events) as events, (select count(*) from archive.recent) as recent')).toEqual([
      { events: '0', recent: '0' },
    ]);
    expect((await refusal({ schemas: ['archive'] }, 'border'))?.excerpt).toMatch(/table archive\.events_old needs table app\.events/);
  });

  it('is a server of foreign tables, which comes only with the whole database', async () => {
    await from.createDatabase('far');
    await from.run(
      'far',
      `create schema app; create extension postgres_fdw schema public; create server away foreign data wrapper postgres_fdw; create table public.other (id int);
       create foreign table app.f (id int) server away`,
    );
    expect(await refusal({ schemas: ['app'] }, 'far')).toMatchObject({
      excerpt: '  foreign table app.f needs server away, which belongs to no schema and comes only with the whole database',
      hint: 'Name the schemas to leave out with --exclude-schema instead of choosing some with --schema.',
    });
    const trip = await there({ excludeSchemas: ['public'] }, 'far', 'postgres');
    expect(failures(trip)).toEqual([]);
    expect(await ask(`select to_regclass('app.f') is not null as f, to_regclass('public.other') as other`)).toEqual([
      { f: true, other: null },
    ]);
  });

  it('is nothing in a database without any extension', async () => {
    await from.createDatabase('bare');
    await from.run('bare', 'drop extension plpgsql; create schema app; create table app.t (id int); create table public.t (id int)');
    const trip = await there({ schemas: ['app'] }, 'bare', 'postgres');
    expect(failures(trip)).toEqual([]);
    expect(named(trip)).toEqual(['schema public']);
    expect(await refusal({ schemas: ['public'] }, 'bare')).toMatchObject({ hint: expect.stringContaining('--exclude-schema app') });
  });

  it('is an extension with rows of its own', async ({ skip }) => {
    await from.createDatabase('geo');
    await using session = await connectPostgres(from.superuser('geo'));
    const has = await session.query(`select from pg_available_extensions where name = 'postgis'`);
    skip(has.length === 0, 'this Postgres has no PostGIS');
    await from.run(
      'geo',
      `create schema gis; create extension postgis schema gis; create schema app; create table app.places (at gis.geometry(point, 4326));
       insert into app.places values (gis.st_setsrid(gis.st_makepoint(1, 2), 4326)); insert into gis.spatial_ref_sys (srid, proj4text) values (990001, 'x')`,
    );
    for (const scope of [{ schemas: ['app'] }, { excludeSchemas: ['gis'] }, { schemas: ['app', 'gis'] }, { schemas: ['public'] }]) {
      const trip = await there(scope, 'geo', 'postgres');
      expect(failures(trip)).toEqual([]);
    }
  });
});

it('needs no right on what is left out', async () => {
  await using session = await connectPostgres({ ...from.superuser('hosted'), user: 'app_login' });
  const whole = await lookAtSource(session, { schema: null, internalRoles: [] });
  expect(whole.unreadable.map(({ name }) => name)).toEqual(expect.arrayContaining(['auth', 'auth.users', 'vault', 'app.logs_private']));
  const { selection } = await choosePart(
    session,
    scopeOf({ excludeSchemas: ['auth', 'vault'], excludeTableData: ['app.logs_private'] }),
    [],
    'every pattern',
  );
  expect((await lookAtSource(session, { schema: null, internalRoles: [], selection })).unreadable).toEqual([]);
});
