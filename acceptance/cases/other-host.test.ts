import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Flux, startFlux } from '../harness/flux.ts';
import { psql, startThrowAwayCluster, type ThrowAwayCluster } from '../harness/postgres.ts';
import { leaveOut } from '../harness/sandbox.ts';
import { makeOtherHost, type OtherHost } from './other-host.ts';
import { textOf } from './world.ts';

const host: OtherHost = await makeOtherHost();
const hasLocale = host.locales === undefined ? leaveOut('localedef cannot make a locale here') : {};

let flux: Flux;
let source: ThrowAwayCluster;
beforeAll(async () => {
  [flux, source] = await Promise.all([startFlux(), startThrowAwayCluster({ bin: host.bin, env: host.locales ?? {} })]);
});
afterAll(async () => {
  await source?.[Symbol.asyncDispose]();
  await flux?.[Symbol.asyncDispose]();
  host[Symbol.dispose]();
});

/** Creates a database, attaches it, backs it up and verifies the backup. */
async function attach(slug: string, options: string, sql: string, user?: string) {
  const database = slug.replaceAll('-', '_');
  await psql(source.uri('postgres'), `create database ${database} ${options}`);
  await psql(source.uri(database), sql);
  const uri = new URL(source.uri(database));
  if (user !== undefined) {
    uri.username = user;
    uri.password = 'x';
  }
  const attached = await flux.fluxWith({ env: { FLUX_ATTACH_URI: uri.href } }, 'create', slug, '--attach', '--json');
  const { hash } = attached.exitCode === 0 ? (JSON.parse(attached.stdout) as { summary: { hash: string } }).summary : { hash: '' };
  const flags = ['--project', slug, '--hash', hash];
  return {
    attached,
    flags,
    created: () => flux.flux('backup', 'create', ...flags),
    verified: () => flux.flux('backup', 'verify', ...flags, '--latest'),
  };
}

it('is inconclusive, and says what to install, when an extension is not on this host', {}, async () => {
  const { created, verified, flags } = await attach(
    'only-there',
    '',
    'create extension only_there; create table items (id int, e vector); insert into items values (1, zero())',
  );
  expect((await created()).exitCode).toBe(0);

  const ended = await verified();

  expect(ended.exitCode, textOf(ended)).toBe(10);
  expect(textOf(ended)).toContain('only_there');
  expect(textOf(ended)).toMatch(/install/);
  const into = await flux.flux('backup', 'restore', ...flags, '--latest', '--into', 'only-there-copy');
  expect(into.exitCode).not.toBe(0);
  expect(textOf(into)).toContain('only_there');
  expect(textOf(into)).not.toMatch(/Unexpected error/);
});

it('is inconclusive, and says which command helps, when a locale is not on this host', hasLocale, async () => {
  const sql = `create table names (id int primary key, name text unique); insert into names values (1, 'ärger'), (2, 'Zebra'), (3, 'apfel')`;
  const { created, verified } = await attach('german', `template template0 lc_collate 'de_DE.UTF-8' lc_ctype 'de_DE.UTF-8'`, sql);
  expect((await created()).exitCode).toBe(0);

  const ended = await verified();

  expect(ended.exitCode, textOf(ended)).toBe(10);
  expect(textOf(ended)).toMatch(/locale-gen|localedef|locales/);
  expect(textOf(ended)).toContain('de_DE.UTF-8');
});

it('says the same when it is to be restored into a project', hasLocale, async () => {
  const projects = JSON.parse((await flux.flux('list', '--json')).stdout) as { slug: string; hash: string }[];
  const hash = projects.find(({ slug }) => slug === 'german')?.hash ?? '';
  const into = await flux.flux('backup', 'restore', '--project', 'german', '--hash', hash, '--latest', '--into', 'german-copy');

  expect(into.exitCode).toBe(10);
  expect(textOf(into)).toMatch(/locale-gen|localedef|locales/);
  expect(textOf(into)).not.toMatch(/Unexpected error/);
});

it('does not condemn money in the currency of a locale that is not on this host', hasLocale, async () => {
  const sql = `alter database money set lc_monetary = 'de_DE.UTF-8';
    \\c
    create table prices (id int primary key, p money); insert into prices values (1, 1234.56::numeric::money), (2, (-7.5)::numeric::money);`;
  const { created, verified } = await attach('money', '', sql);
  expect((await created()).exitCode).toBe(0);

  const ended = await verified();

  expect([0, 10], textOf(ended)).toContain(ended.exitCode);
  if (ended.exitCode === 10) expect(textOf(ended)).toMatch(/de_DE\.UTF-8/);
});

it('tells everything that a login may not read at once, when it is attached', {}, async () => {
  const sql = `create role house_reader login password 'x'; create table t (a int); create sequence s; create schema hidden; create table hidden.x (a int);
    create table mine (a int, t text); grant select (a) on mine to house_reader;`;
  const { attached } = await attach('half-seen', '', sql, 'house_reader');

  expect(textOf(attached)).not.toMatch(/Unexpected error/);
  for (const name of ['public.t', 'public.s', 'hidden', 'public.mine']) expect(textOf(attached)).toContain(name);
});

it('never says that it is an unexpected error when such a login makes a backup', {}, async () => {
  const sql = `create role house_other_reader login password 'x'; create sequence s; create table t (a int); grant select on t to house_other_reader`;
  const { attached, created } = await attach('half-read', '', sql, 'house_other_reader');
  if (attached.exitCode !== 0) return;
  const ended = await created();
  expect(ended.exitCode).not.toBe(0);
  expect(textOf(ended)).not.toMatch(/Unexpected error|does not know/);
  expect(textOf(ended)).toMatch(/public\.s|sequence s/);
});

it('names the table when an ordinary owner has a policy in the way', async () => {
  const sql = `create role house_ops login password 'x'; create role house_other; create table mine (id int primary key); alter table mine owner to house_ops;
    create table theirs (id int primary key); alter table theirs owner to house_other; insert into theirs values (1); grant select on theirs to house_ops;
    alter table theirs enable row level security; create policy few on theirs using (id > 1);`;
  const { attached, created } = await attach('ordinary', '', sql, 'house_ops');
  const said = textOf(attached) + (attached.exitCode === 0 ? textOf(await created()) : '');

  expect(said).toContain('theirs');
  expect(said).toMatch(/row.level security|polic/);
  expect(said).not.toMatch(/Unexpected error/);
});
