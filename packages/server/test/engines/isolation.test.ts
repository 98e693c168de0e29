import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { requireCapability } from '../../src/engines/capabilities.ts';
import type { Engine, EngineProject } from '../../src/engines/engine.ts';
import { embeddedSharedCluster, type SharedCluster } from '../../src/engines/shared/cluster.ts';
import { createSharedEngine } from '../../src/engines/shared/engine.ts';
import { tenantNamesOf } from '../../src/engines/shared/names.ts';
import { connectPostgres, type PostgresSession } from '../../src/postgres/connect.ts';
import type { PostgresTarget } from '../../src/postgres/target.ts';
import { eventually } from '../conformance/instance-runtime.ts';
import { listMigrations, makeProject, pushOf, quietLog, runPush } from './project.ts';
import { clock, openTestRuntime, standings, type TestRuntime } from './runtime.ts';

let place: TestRuntime;
let cluster: SharedCluster;
let engine: Engine;
/** Whose things are wanted, and who wants them. */
let victim: EngineProject;
let intruder: EngineProject;
let victims: ReturnType<typeof tenantNamesOf>;
let intruders: ReturnType<typeof tenantNamesOf>;

beforeAll(async () => {
  place = await openTestRuntime();
  cluster = embeddedSharedCluster({ runtime: place.runtime, major: () => place.major, publicHost: '127.0.0.1' });
  engine = createSharedEngine({ cluster, standings, clock, log: quietLog });
  victim = makeProject('v2_shared', 'victim');
  intruder = makeProject('v2_shared', 'intruder');
  for (const project of [victim, intruder]) await engine.provision(project);
  victims = tenantNamesOf(victim);
  intruders = tenantNamesOf(intruder);
  await runPush(
    engine,
    victim,
    pushOf(
      `create table secrets (id serial primary key, body text); insert into secrets (body) values ('mine');
       create view v as select * from secrets; create sequence s; create type mood as enum ('sad');
       create function f() returns int language sql as 'select 1';
       create function definer() returns int language sql security definer as 'select 1';
       create domain d as text check (length(value) > definer());
       create procedure p() language sql as 'select 1'`,
      { mode: 'versioned', version: 'victims-own' },
    ),
  );
  await runPush(engine, intruder, pushOf('create table own (i int)', { mode: 'versioned', version: 'own' }));
}, 60_000);

afterAll(() => place?.close());

/** V stands for the victim's schema, R for its role prefix, and I for the intruder's schema. */
const fill = (sql: string) =>
  sql.replaceAll('{V}', victims.schema).replaceAll('{R}', victims.schema.slice(0, 14)).replaceAll('{I}', intruders.schema);

const asRole = (who: 'ddl' | 'login' | 'backup', project = intruder): PostgresTarget => {
  const { ownerPassword, loginPassword, backupPassword } = project.secrets;
  const password = { ddl: ownerPassword, login: loginPassword, backup: backupPassword }[who];
  return { ...cluster.admin(), user: tenantNamesOf(project)[who], password };
};

/** The owner may log in only while Flux does. */
async function openAs(who: 'ddl' | 'login' | 'backup'): Promise<PostgresSession> {
  if (who === 'ddl') return await (await engine.ownerAccess(intruder)).open({ searchPath: 'role' });
  return await connectPostgres(asRole(who), { searchPath: 'role' });
}

async function stateOf(who: 'ddl' | 'login' | 'backup', sql: string): Promise<string> {
  await using session = await openAs(who);
  return await session.run(fill(sql)).then(
    () => 'allowed',
    (error) => error.code,
  );
}

const REFUSED = '42501';

/** Not permitted to log in, or not with a password. */
const refusedLogin = () => ({ details: { sqlState: expect.stringMatching('28000|28P01') } });

/** What is tried; the state is `insufficient_privilege` where nothing else is said. */
const ATTEMPTS: readonly (readonly [string, string, string?])[] = [
  ['read a table', 'select * from {V}.secrets'],
  ['read a view', 'select * from {V}.v'],
  ['read through COPY', 'copy {V}.secrets to stdout'],
  ['read through a function of Postgres', `select query_to_xml('select * from {V}.secrets', true, true, '')`],
  ['read a schema as XML', `select schema_to_xml('{V}', true, true, '')`],
  ['insert', `insert into {V}.secrets (body) values ('x')`],
  ['update', `update {V}.secrets set body = 'x'`],
  ['delete', 'delete from {V}.secrets'],
  ['truncate', 'truncate {V}.secrets'],
  ['lock a table', 'begin; lock table {V}.secrets in access share mode'],
  ['lock a row', 'select * from {V}.secrets for update'],
  ['call a function', 'select {V}.f()'],
  ['call a function that runs as its owner', 'select {V}.definer()'],
  ['call a procedure', 'call {V}.p()'],
  ['use a sequence', `select nextval('{V}.s')`],
  ['use an enum', `select 'sad'::{V}.mood`],
  ['use a domain', `select 'abc'::{V}.d`],
  ['use a type in a table', 'create table {I}.t (m {V}.mood)'],
  ['refer to a table', 'create table {I}.t (i int references {V}.secrets)'],
  ['inherit a table', 'create table {I}.t () inherits ({V}.secrets)'],
  ['see through a view of its own', 'create view {I}.t as select * from {V}.secrets'],
  ['create in the schema', 'create table {V}.t (i int)'],
  ['alter a table', 'alter table {V}.secrets add column x int'],
  ['take a table', 'alter table {V}.secrets owner to current_user'],
  ['drop a table', 'drop table {V}.secrets'],
  ['drop the schema', 'drop schema {V} cascade'],
  ['rename the schema', 'alter schema {V} rename to mine'],
  ['replace a function', `create or replace function {V}.f() returns int language sql as 'select 2'`],
  ['comment on a table', `comment on table {V}.secrets is 'x'`],
  ['put a trigger on a table', 'create trigger x before insert on {V}.secrets execute function suppress_redundant_updates_trigger()'],
  ['put a policy on a table', 'create policy x on {V}.secrets using (true)'],
  ['put a rule on a table', 'create rule x as on insert to {V}.secrets do nothing'],
  ['analyze a table', 'analyze {V}.secrets'],
  ['become the other owner', 'set role {R}_ddl'],
  ['become the other dump role', 'set role {R}_backup'],
  ['become the other login', 'set session authorization {R}_login'],
  ['become the role of everybody', 'set role service_role'],
  ['become anonymous', 'set role anon'],
  ['become the owner of the ledger', 'set role flux_ledger'],
  ['become the superuser', 'set role flux_admin'],
  ['join the other', 'grant {R}_ddl to current_user'],
  ['join the superuser', 'grant flux_admin to current_user'],
  ['set the password of the other', `alter role {R}_ddl password 'x'`],
  ['configure the other', `alter role {R}_login set search_path = 'x'`],
  ['make a role', 'create role intruder'],
  ['make a database', 'create database intruder'],
  ['make a schema', 'create schema intruder'],
  ['make an extension', 'create extension dblink'],
  ['make a trusted extension', 'create extension citext'],
  ['make a language', 'create language plperlu', 'refused'],
  ['make a publication', 'create publication p for table {V}.secrets'],
  ['make an event trigger', `create event trigger e on ddl_command_start execute function suppress_redundant_updates_trigger()`],
  ['make a foreign data wrapper', 'create foreign data wrapper w'],
  ['make a cast between types of Postgres', 'create cast (int as jsonb) with inout as implicit'],
  ['call dblink', `select dblink('dbname=flux_shared', 'select 1')`, '42883'],
  ['create in public', 'create table public.t (i int)'],
  ['create in auth', `create function auth.uid() returns int language sql as 'select 1'`],
  ['change auth', `create or replace function auth.uid() returns uuid language sql as 'select null::uuid'`],
  ['create in flux', 'create table flux.t (i int)'],
  ['make a temporary table', 'create temp table t (i int)'],
  ['make a temporary function', `create function pg_temp.f() returns int language sql as 'select 1'`],
  ['make a large object', 'select lo_create(0)'],
  ['make a large object from bytes', `select lo_from_bytea(0, 'x')`],
  ['make a large object the old way', 'select lo_creat(-1)'],
  ['run a program', `copy own to program 'cat'`],
  ['run a program to read', `copy own from program 'echo 1'`],
  ['read a file', `select pg_read_file('/etc/passwd')`],
  ['read a binary file', `select pg_read_binary_file('/etc/passwd')`],
  ['list a folder', `select pg_ls_dir('/')`],
  ['read a file through COPY', `copy own from '/etc/passwd'`],
  ['write a file', `copy own to '/tmp/x'`],
  ['read password hashes', 'select rolpassword from pg_authid'],
  ['change the server', `alter system set work_mem = '1GB'`],
  ['change the database', 'alter database flux_shared set work_mem = 100'],
  ['end sessions of the other', `select pg_terminate_backend(pid) from pg_stat_activity where usename like '{R}%'`],
  ['end sessions of the superuser', `select pg_terminate_backend(pid) from pg_stat_activity where usename = 'flux_admin'`],
  ['load a library', `load 'dblink'`],
  ['log everything', `set log_statement = 'all'`],
  ['switch triggers off', `set session_replication_role = 'replica'`],
  ['read the ledger', 'select * from flux.flux_migrations'],
  ['lock the ledger', 'begin; lock table flux.flux_migrations in access share mode'],
  ['wait in the turn of provisioning', 'begin; lock table flux.turn in access share mode'],
  ['write the ledger', `insert into flux.flux_migrations values ('{V}', 'x', 'x', 'x')`],
  ['empty the ledger', 'delete from flux.flux_migrations'],
];

describe('one tenant, with another in the same database', () => {
  for (const who of ['ddl', 'login'] as const) {
    it.each(ATTEMPTS)(`as ${who} cannot %s`, async (_, sql = '', expected = REFUSED) => {
      await using held = await connectPostgres(asRole('login', victim), { searchPath: 'role' });
      const state = await stateOf(who, sql);
      if (expected === 'refused') expect(state).not.toBe('allowed');
      else expect(state).toBe(expected);
      expect(await held.query('select body from secrets')).toEqual([{ body: 'mine' }]);
    });
  }

  it('cannot reach the other databases of the cluster', async () => {
    for (const who of ['login', 'backup'] as const)
      for (const database of ['postgres', 'template1'])
        await expect(connectPostgres({ ...asRole(who), database }, { searchPath: 'role' })).rejects.toMatchObject({
          details: { sqlState: REFUSED },
        });
  });

  it('cannot log in as the owner of its schema, even with a password that a push has set', async () => {
    const owner = { ...asRole('ddl'), password: 'known' };
    const refused = refusedLogin();
    await runPush(engine, intruder, pushOf(`alter role ${intruders.ddl} password 'known'`));
    await expect(connectPostgres(owner)).rejects.toMatchObject(refused);
    // Nor while another push runs.
    const running = runPush(engine, intruder, pushOf(`alter role ${intruders.ddl} password 'known'; select pg_sleep(1)`));
    await using admin = await connectPostgres(cluster.admin());
    await eventually(async () =>
      expect(await admin.query('select from pg_stat_activity where usename = $1', [intruders.ddl])).toHaveLength(1),
    );
    await expect(connectPostgres(owner)).rejects.toMatchObject(refused);
    await running;
    expect(await runPush(engine, intruder, pushOf('select 1'))).toMatchObject({ statements: 1 });
  });

  it('is disconnected as the owner when it has logged in while a restore did', async () => {
    const staging = await requireCapability(engine, 'staging', intruder).openEmpty(intruder);
    const sneaked = await staging.load(async (target) => {
      await using restoring = await connectPostgres(target);
      await restoring.run(`alter role ${intruders.ddl} password 'known'`);
      return await connectPostgres({ ...target, password: 'known' });
    });
    await eventually(() => expect(sneaked.query('select 1')).rejects.toThrow());
    await sneaked.close();
    await staging.discard();
    await expect(connectPostgres({ ...asRole('ddl'), password: 'known' })).rejects.toMatchObject(refusedLogin());
  });

  it('keeps itself waiting, and nobody else, with a change of its owner that does not end', async () => {
    const running = runPush(engine, intruder, pushOf(`alter role ${intruders.ddl} password 'x'; select pg_sleep(2)`));
    await delay(700);
    const began = performance.now();
    await expect((await engine.ownerAccess(intruder)).open({})).rejects.toMatchObject({ code: 'busy' });
    await runPush(engine, victim, pushOf('select 1'));
    expect(performance.now() - began).toBeLessThan(1800);
    await running;
    await (await (await engine.ownerAccess(intruder)).open({})).close();
  });

  it('shares its owner with many who ask at once', async () => {
    const access = await engine.ownerAccess(intruder);
    const sessions = await Promise.all(Array.from({ length: 8 }, () => access.open({})));
    for (const session of sessions) expect(await session.query('select session_user::text as name')).toEqual([{ name: intruders.ddl }]);
    await Promise.all(sessions.map((session) => session.close()));
  });

  it('cannot escape from a push', async () => {
    const outcome = (sql: string) =>
      runPush(engine, intruder, pushOf(fill(sql))).then(
        () => 'allowed',
        (error) => error.details.sqlState ?? error.code,
      );
    expect(await outcome('reset role; select * from {V}.secrets')).toBe(REFUSED);
    expect(await outcome('set role none; set local role none; reset session authorization; drop schema {V} cascade')).toBe(REFUSED);
    expect(await outcome(`do $$ begin execute 'reset role'; execute 'set role flux_admin'; end $$`)).toBe(REFUSED);
    expect(await outcome(`do $$ begin if session_user <> '${intruders.ddl}' then raise 'who?'; end if; end $$`)).toBe('allowed');
  });

  it('cannot run the other’s functions by number, through a domain', async () => {
    await using session = await openAs('ddl');
    const [found] = await session.query<{ oid: string }>(`select oid::text from pg_type where typname = 'd'`);
    const state = await session.query(`select domain_in('abc', ${found?.oid}, -1)`).then(
      () => 'allowed',
      (error) => error.code,
    );
    expect(state).toBe(REFUSED);
  });

  it('cannot use the sequence of the other by number', async () => {
    await using session = await openAs('ddl');
    const [found] = await session.query<{ oid: string }>(`select oid::text from pg_class where relname = 's'`);
    await expect(session.query(`select nextval(${found?.oid}::regclass)`)).rejects.toMatchObject({ code: REFUSED });
  });

  it('reads and writes no line of the ledger but its own', async () => {
    await using session = await openAs('ddl');
    expect(await session.query('select version from flux.list_migrations()')).toEqual([{ version: 'own' }]);
    await session.query(`select flux.record_migration('victims-own', 'x', 'x')`);
    expect(await session.query(`select inserted from flux.claim_migration('own', 'x', 'x')`)).toEqual([{ inserted: false }]);
    expect(await listMigrations(engine, victim)).toMatchObject([{ version: 'victims-own', filename: '001_init.sql' }]);
    await using login = await connectPostgres(asRole('login'), { searchPath: 'role' });
    await expect(login.query('select * from flux.list_migrations()')).rejects.toMatchObject({ code: REFUSED });
    await using admin = await connectPostgres(cluster.admin(), { searchPath: 'role' });
    await expect(admin.query('select flux.own_schema()')).rejects.toMatchObject({ code: REFUSED });
  });

  it('finds no door in functions that run as the owner of the ledger', async () => {
    await runPush(
      engine,
      intruder,
      pushOf(`create function now() returns timestamptz language plpgsql as $$ begin raise 'called as %', current_user; end $$;
        create function "left"(name, int) returns text language plpgsql as $$ begin raise 'called as %', current_user; end $$;
        create operator ${intruders.schema}.!~ (function = texteq, leftarg = text, rightarg = text)`),
    );
    expect(await runPush(engine, intruder, pushOf('select 1', { mode: 'versioned', version: 'after' }))).toMatchObject({ skipped: false });
  });

  it('reads with its dump role nothing of the other', async () => {
    expect(await stateOf('backup', 'select * from {V}.secrets')).toBe(REFUSED);
    expect(await stateOf('backup', 'select * from flux.flux_migrations')).toBe(REFUSED);
    expect(await stateOf('backup', 'set role {R}_backup')).toBe(REFUSED);
    expect(await stateOf('backup', 'select * from {I}.own')).toBe('allowed');
  });
});
