import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Flux, startFlux } from './harness/flux.ts';
import { freePort } from './harness/port.ts';
import { psql, startThrowAwayCluster, type ThrowAwayCluster } from './harness/postgres.ts';

const POOLER = '/usr/sbin/pgbouncer';

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

it('looks first, tells everything that is in the way at once, and makes nothing before that', async () => {
  await psql(elsewhere.uri('postgres'), `create role reader login password 'x'; create role "Odd one"; create database private`);
  const uri = elsewhere.uri('private');
  const asReader = uri.replace(/\/\/[^@]*@/, '//reader:x@');
  await psql(
    uri,
    `create schema app; create table app.a (id serial); create schema authorization "Odd one"; create table "Odd one"."T" (id int);
     create table t (a int); create sequence s; create table hidden (id int); alter table hidden enable row level security; grant select on hidden to reader;
     create table fine (id int); grant select on fine to reader; select lo_from_bytea(4711, 'x');
     create extension postgres_fdw; create server far foreign data wrapper postgres_fdw;
     create user mapping for "Odd one" server far options (user 'a', password 'not-for-eyes');`,
  );

  const refused = await attach('private', asReader);
  expect(refused.exitCode).toBe(1);
  for (const line of [
    'Error: reader may not read everything in this database, so no backup of it can be made.',
    '  schema app of elsewhere: USAGE is not granted',
    '  schema "Odd one" of Odd one: USAGE is not granted',
    '  table "Odd one"."T" of elsewhere: SELECT is not granted',
    '  table public.t of elsewhere: SELECT is not granted',
    '  sequence app.a_id_seq of elsewhere: SELECT is not granted',
    '  sequence public.s of elsewhere: SELECT is not granted',
    '  table public.hidden of elsewhere: its policies hide rows',
    '  large object 4711 of elsewhere: SELECT is not granted',
    'user mapping "Odd one" on far: The role that dumps may not read its options',
    '  GRANT SELECT ON LARGE OBJECT 4711 TO reader;',
    '  ALTER ROLE reader BYPASSRLS;',
  ])
    expect(refused.stderr).toContain(line);
  expect(refused.stderr).not.toContain('public.fine');
  expect(refused.stderr + flux.log()).not.toContain('not-for-eyes');
  expect((await flux.flux('list')).stdout).not.toContain('private');

  // What it says is enough.
  await psql(uri, [...refused.stderr.matchAll(/^ {2}((?:GRANT|ALTER ROLE) .*;)$/gm)].map(([, sql]) => sql).join('\n'));
  const accepted = await attach('private', asReader);
  expect(accepted.stderr).toMatch(/in no backup: user mapping "Odd one" on far: /);
  expect(accepted.exitCode).toBe(0);
  const created = await flux.flux('backup', 'create', '--project', 'private', '--verify');
  expect(created.stdout).toContain('✓ Restorable');
  expect(created.exitCode).toBe(0);

  await psql(uri, `create table later (id int); alter role reader nobypassrls`);
  const doctor = await flux.flux('doctor', 'private');
  expect(doctor.stdout).toMatch(
    /✗ rights of the login: reader may not read everything.*public\.hidden.*public\.later.*GRANT SELECT ON TABLE public\.later TO reader;/,
  );
  expect(doctor.exitCode).toBe(1);
});

it.skipIf(!existsSync(POOLER))('refuses a pooler that changes the backend, and takes one that does not', async () => {
  await psql(elsewhere.uri('postgres'), 'create database pooled');
  const server = new URL(elsewhere.uri('pooled'));
  for (const [mode, exitCode] of [
    ['transaction', 2],
    ['statement', 2],
    ['session', 0],
  ] as const) {
    await using pooler = await startPooler(server, mode);
    const ended = await attach(`pooled-${mode}`, pooler.uri);
    expect(ended.stderr).toContain(exitCode === 0 ? '' : 'is a pooler that uses another backend for each transaction');
    expect(ended.exitCode).toBe(exitCode);
    if (exitCode === 0)
      expect((await flux.flux('backup', 'create', '--project', `pooled-${mode}`, '--verify')).stdout).toContain('✓ Restorable');
  }
});

/** PgBouncer in front of a server, on a port of its own. */
async function startPooler(server: URL, mode: string): Promise<AsyncDisposable & { readonly uri: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'flux-pooler-'));
  chmodSync(folder, 0o755);
  const port = await freePort();
  const { username, password, hostname } = server;
  writeFileSync(join(folder, 'users'), `"${username}" "${password}"\n`, { mode: 0o644 });
  writeFileSync(
    join(folder, 'ini'),
    `[databases]\n* = host=${hostname} port=${server.port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = ${port}\nunix_socket_dir =\nauth_type = scram-sha-256
auth_file = ${join(folder, 'users')}\npool_mode = ${mode}\nignore_startup_parameters = extra_float_digits,options\n`,
    { mode: 0o644 },
  );
  const child = spawn(POOLER, [...(process.getuid?.() === 0 ? ['-u', 'postgres'] : []), join(folder, 'ini')], { stdio: 'ignore' });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  await delay(1000);
  const uri = new URL(server);
  uri.port = String(port);
  return {
    uri: uri.href,
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

it('takes another URI for the same database, and another database only when that is meant', async () => {
  await psql(
    elsewhere.uri('postgres'),
    `create role mover login password 'before'; create database moving owner mover; create database foreign_one owner mover`,
  );
  const uri = (database: string, password: string) => elsewhere.uri(database).replace(/\/\/[^@]*@/, `//mover:${password}@`);
  await psql(elsewhere.uri('moving'), 'create table orders (id int); alter table orders owner to mover');
  const reattach = (to: string, ...more: string[]) =>
    flux.fluxWith({ env: { FLUX_ATTACH_URI: to } }, 'project', 'attach', 'moving', '--uri', ...more);
  expect((await attach('moving', uri('moving', 'before'))).exitCode).toBe(0);
  expect((await reattach(uri('foreign_one', 'before'))).stderr).toContain('foreign_one is another database than that of moving');
  expect((await flux.flux('backup', 'create', '--project', 'moving')).exitCode).toBe(0);

  // The old URI does not answer any more: the tables of the backup tell.
  await psql(elsewhere.uri('postgres'), `alter role mover password 'after'`);
  const other = await reattach(uri('foreign_one', 'after'));
  expect(other.stderr).toMatch(/^Error: foreign_one is another database than that of moving: .* Nothing was changed\.$/m);
  expect(other.exitCode).toBe(1);
  const same = await reattach(uri('moving', 'after'));
  expect(same.stdout).toMatch(/^moving \([0-9a-f]{7}\) has a new URI and is running\.$/m);
  expect((await flux.flux('backup', 'create', '--project', 'moving')).exitCode).toBe(0);
  expect((await reattach(uri('foreign_one', 'after'), '--other-database')).exitCode).toBe(0);

  const { stdout } = await flux.flux('audit', '--json');
  expect(stdout).toContain('project.attach');
  expect(stdout + flux.log()).not.toMatch(/mover:(before|after)@/);
});
