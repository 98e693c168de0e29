import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Flux, startFlux } from './harness/flux.ts';
import { psql, startThrowAwayCluster, type ThrowAwayCluster } from './harness/postgres.ts';

let elsewhere: ThrowAwayCluster;
let flux: Flux;

beforeAll(async () => {
  [elsewhere, flux] = await Promise.all([startThrowAwayCluster(), startFlux()]);
});

afterAll(async () => {
  await flux?.[Symbol.asyncDispose]();
  await elsewhere?.[Symbol.asyncDispose]();
});

const attach = (slug: string, uri: string, ...more: string[]) =>
  flux.fluxWith({ env: { FLUX_ATTACH_URI: uri } }, 'create', slug, '--attach', ...more);

it('keeps what pg_dump warned of, and shows it wherever the backup is described', async () => {
  await psql(elsewhere.uri('postgres'), 'create database aging');
  const uri = elsewhere.uri('aging');
  await psql(uri, `create table t (id int); update pg_database set datcollversion = 'old-one' where datname = 'aging'`);
  await attach('aging', uri);

  const created = await flux.flux('backup', 'create', '--project', 'aging', '--verify');
  expect(created.stdout).toMatch(/pg_dump warned: database "aging" has no actual collation version/);
  expect(created.stdout).toMatch(/✓ Restorable\n.*1 warning of pg_dump/);
  expect(created.stdout).toMatch(/Warnings when it was dumped: 1\n {2}pg_dump: database "aging" has no actual collation/);
  expect(created.exitCode).toBe(0);
  const shown = await flux.flux('backup', 'show', '--project', 'aging', '--latest');
  expect(shown.stdout).toMatch(/pg_dump warned: database "aging" has no actual collation version/);
});

it('says in every case what it was that could not be read, and never that it does not know', async () => {
  await psql(elsewhere.uri('postgres'), `create role late login password 'x'; create database late`);
  const uri = elsewhere.uri('late');
  await psql(uri, 'create table t (id int); create sequence s; grant select on t, s to late');
  await attach('late', uri.replace(/\/\/[^@]*@/, '//late:x@'));
  await psql(uri, 'revoke select on s from late');

  const created = await flux.flux('backup', 'create', '--project', 'late');
  expect(created.stderr).toMatch(/^Error: The database cannot be read as late: permission denied for sequence s\.$/m);
  expect(created.stderr).toContain('flux doctor');
  expect(created.exitCode).toBe(1);
});
