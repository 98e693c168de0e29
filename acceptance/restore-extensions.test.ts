import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Flux, startFlux } from './harness/flux.ts';
import { findClient, psql, startThrowAwayCluster, type ThrowAwayCluster } from './harness/postgres.ts';
import { run } from './harness/process.ts';
import { leaveOut } from './harness/sandbox.ts';
import { catalogUri, instanceOf, superuserUri } from './harness/superuser.ts';

/** Extensions that come in packages of their own: they bring rows, or have to be loaded when a server starts. */
const shared = (await run(join(findClient(), 'pg_config'), ['--sharedir'])).stdout.trim();
const has = (...names: string[]) => names.every((name) => existsSync(join(shared, 'extension', `${name}.control`)));
const when = (...names: string[]) => (has(...names) ? {} : leaveOut(`this host lacks one of the extensions ${names.join(', ')}`));
const LOADED = ['pg_cron', 'pgaudit', 'pg_stat_statements'].filter((name) => has(name));

let flux: Flux;
let elsewhere: ThrowAwayCluster;
beforeAll(async () => {
  const settings = { shared_preload_libraries: LOADED.join(','), ...(has('pg_cron') ? { 'cron.database_name': 'jobs' } : {}) };
  [flux, elsewhere] = await Promise.all([startFlux(), startThrowAwayCluster({ settings })]);
}, 120_000);
afterAll(async () => {
  await elsewhere?.[Symbol.asyncDispose]();
  await flux?.[Symbol.asyncDispose]();
});

async function succeed(...args: string[]): Promise<string> {
  const ended = await flux.flux(...args);
  expect(ended.stderr + ended.stdout, `flux ${args.join(' ')}`).toSatisfy(() => ended.exitCode === 0);
  return ended.stdout;
}

/** Proves a backup of a database with this content, and restores it: into a project, in place there, and to a database of a superuser. */
async function everyWay(name: string, sql: string): Promise<{ readonly copy: string; readonly to: string }> {
  await psql(elsewhere.uri('postgres'), `create database ${name}`);
  await psql(elsewhere.uri(name), sql);
  await flux.fluxWith({ env: { FLUX_ATTACH_URI: elsewhere.uri(name) } }, 'create', name, '--attach');
  const hashOf = async (slug: string) =>
    (JSON.parse(await succeed('list', '--json')) as { slug: string; hash: string }[]).find((project) => project.slug === slug)?.hash ?? '';
  const source = ['--project', name, '--hash', await hashOf(name)];
  expect(await succeed('backup', 'create', ...source, '--verify')).toContain('✓ Restorable');
  await succeed('backup', 'restore', ...source, '--latest', '--into', `${name}-copy`);
  const flags = [`${name}-copy`, '--hash', await hashOf(`${name}-copy`)];
  const copy = (await succeed('project', 'credentials', ...flags, '--field', 'postgres.url')).trim();
  await psql(elsewhere.uri('postgres'), `create database ${name}_to`);
  return { copy, to: elsewhere.uri(`${name}_to`) };
}

const asSuperuser = async (slug: string) => {
  const id = (await psql(catalogUri(flux), `select id from projects where slug = '${slug}'`)).trim();
  return superuserUri(flux, instanceOf(id, 'v1_dedicated'), slug.replaceAll('-', '_'));
};
const flagsOf = async (slug: string) => {
  const listed = JSON.parse(await succeed('list', '--json')) as { slug: string; hash: string }[];
  return ['--project', slug, '--hash', listed.find((project) => project.slug === slug)?.hash ?? ''];
};

it('brings back PostGIS with its rows, raster and topology', when('postgis', 'postgis_raster', 'postgis_topology'), async () => {
  const { copy, to } = await everyWay(
    'geo',
    `create extension postgis; create extension postgis_raster; create extension postgis_topology;
     insert into spatial_ref_sys values (990001, 'me', 1, 'LOCAL_CS["x"]', '+proj=longlat');
     create table places (id int primary key, at geometry(Point, 4326), covered raster);
     insert into places select i, st_setsrid(st_makepoint(i, i), 4326), st_addband(st_makeemptyraster(2, 2, i, i, 1), '8BUI') from generate_series(1, 50) i;
     create index on places using gist (at); select topology.createtopology('city', 4326);`,
  );
  await succeed('backup', 'restore', ...(await flagsOf('geo')), '--latest', '--to', to);
  const questions = `select sum(st_x(at)), sum(st_width(covered)) from places; select count(*), max(srid), sum(length(proj4text)) from spatial_ref_sys;
    select name, srid from topology.topology; select count(*) from topology.layer; select count(*) from pg_index where indrelid = 'places'::regclass`;
  const expected = await psql(elsewhere.uri('geo'), questions);
  expect(await psql(copy, questions)).toBe(expected);
  expect(await psql(to, questions)).toBe(expected);
  // What the copy's owner has of it can be backed up, and replaced, again.
  const flags = await flagsOf('geo-copy');
  expect(await succeed('backup', 'create', ...flags, '--verify')).toContain('✓ Restorable');
  await succeed('backup', 'restore', ...flags, '--latest', '--in-place', '--yes');
  expect(await psql(copy, questions)).toBe(expected);
});

it('brings back what pg_partman knows of its tables', when('pg_partman'), async () => {
  const { copy, to } = await everyWay(
    'parts',
    `create schema partman; create extension pg_partman schema partman; create table events (id int, at timestamptz not null) partition by range (at);
     select partman.create_parent('public.events', 'at', 'native', 'monthly'); insert into events select i, now() from generate_series(1, 20) i;`,
  );
  await succeed('backup', 'restore', ...(await flagsOf('parts')), '--latest', '--to', to);
  const questions = `select parent_table, control, partition_interval, premake from partman.part_config; select count(*) from events;
    select count(*) from pg_inherits where inhparent = 'events'::regclass`;
  const expected = await psql(elsewhere.uri('parts'), questions);
  // The administrator owns what it knows, as the superuser did there.
  expect(await psql(await asSuperuser('parts-copy'), questions)).toBe(expected);
  expect(await psql(copy, 'select count(*) from events')).toBe('20\n');
  expect(await psql(to, questions)).toBe(expected);
});

it('has the server of a copy load what its extensions need loaded at its start', when('pgaudit', 'pg_cron'), async () => {
  await everyWay('audited', 'create extension pgaudit; create table t (a int); insert into t values (1)').then(async ({ copy }) => {
    expect(await psql(copy, `select name from pg_settings where name = 'pgaudit.log'; table t`)).toBe('pgaudit.log\n1\n');
  });
  const { copy } = await everyWay(
    'jobs',
    `create extension pg_cron; select cron.schedule('nightly', '0 3 * * *', 'vacuum'); select cron.schedule('never', '0 0 30 2 *', 'select 1');
     create table t (a int); insert into t values (1)`,
  );
  const settings = `select setting = current_database() from pg_settings where name = 'cron.database_name'; table t;
    select setting::int > 0 from pg_settings where name = 'max_worker_processes'`;
  expect(await psql(copy, 'table t')).toBe('1\n');
  expect(await psql(await asSuperuser('jobs-copy'), settings)).toBe('t\n1\nt\n');
  const kept =
    "select jobname, schedule, command from cron.job order by 1; select relrowsecurity from pg_class where oid = 'cron.job'::regclass";
  expect(await psql(await asSuperuser('jobs-copy'), kept)).toBe(await psql(elsewhere.uri('jobs'), kept));
  const flags = await flagsOf('jobs-copy');
  expect(await succeed('backup', 'create', ...flags, '--verify')).toContain('✓ Restorable');
});
