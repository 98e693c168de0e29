import { chmod, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { requireCapability } from '../../src/engines/capabilities.ts';
import { createDedicatedEngine } from '../../src/engines/dedicated/engine.ts';
import type { Engine, EngineProject } from '../../src/engines/engine.ts';
import type { InstanceRuntime } from '../../src/instances/instance.ts';
import { connectPostgres } from '../../src/postgres/connect.ts';
import { NO_PREREQUISITES } from '../../src/postgres/manifest/prerequisites/data.ts';
import { libpqEnvironment, type PostgresTarget } from '../../src/postgres/target.ts';
import { runProcess } from '../../src/system/process.ts';
import { contentSql, sampleSql } from './chinook.ts';
import { listMigrations, makeProject, pushOf, quietLog, runPush, uriOf } from './project.ts';
import { clock, openTestRuntime, standings, type TestRuntime } from './runtime.ts';

let place: TestRuntime;
let runtime: InstanceRuntime;
let engine: Engine;
let project: EngineProject;

beforeAll(async () => {
  place = await openTestRuntime();
  runtime = place.runtime;
  engine = createDedicatedEngine({
    runtime,
    standings,
    clock,
    toolbox: place.toolbox,
    defaultMajor: () => place.major,
    publicHost: '127.0.0.1',
    log: quietLog,
  });
  project = makeProject('v1_dedicated');
  await engine.provision(project);
}, 60_000);

afterAll(() => place?.close());

const STAGING = {
  kind: 'project_db',
  place: 'beside',
  ownerName: null,
  schema: null,
  locale: { encoding: 'UTF8', collate: 'C.UTF-8', ctype: 'C.UTF-8' },
  moneyLocale: null,
  prerequisites: NO_PREREQUISITES,
  objects: [],
  internalRoles: [],
} as const;
const login = async (of = project): Promise<PostgresTarget> => engine.credentials(of);
const ask = async (target: PostgresTarget, sql: string) => {
  await using session = await connectPostgres(target, { searchPath: 'role' });
  return await session.query(sql);
};

describe('a dedicated project', () => {
  it('runs, and its owner gets in from outside', async () => {
    const status = await engine.status(project);
    expect(status).toMatchObject({ state: 'running', major: place.major, problem: null });
    expect(status.postgresVersion).toMatch(/^\d+\.\d+/);
    expect(engine.apiSchema(project)).toBe('public');

    const parts = await login();
    expect(parts).toMatchObject({ user: 'bloom_atelier_owner', host: '127.0.0.1', database: 'bloom_atelier', port: status.port });
    expect(await ask(parts, 'select rolsuper, rolcreaterole, rolbypassrls from pg_roles where rolname = current_user')).toEqual([
      { rolsuper: false, rolcreaterole: false, rolbypassrls: false },
    ]);
  });

  it('has the roles and functions that policies need', async () => {
    const sql = `select set_config('request.jwt.claims', '{"sub": "5ecfa3ab-72d1-4000-8000-000000000000", "role": "anon", "email": "a@b.c"}', false);`;
    await using session = await connectPostgres(await login(), { searchPath: 'role' });
    await session.run(sql);
    expect(await session.query(`select auth.uid()::text, auth.role(), auth.email(), auth.jwt() ->> 'sub' as sub`)).toEqual([
      { uid: '5ecfa3ab-72d1-4000-8000-000000000000', role: 'anon', email: 'a@b.c', sub: '5ecfa3ab-72d1-4000-8000-000000000000' },
    ]);
    await session.run('reset all');
    expect(await session.query('select auth.uid(), auth.role(), auth.email(), auth.jwt()')).toEqual([
      { uid: null, role: null, email: null, jwt: null },
    ]);
    await session.run(`select set_config('request.jwt.claim.sub', '5ecfa3ab-72d1-4000-8000-000000000001', false)`);
    expect(await session.query('select auth.uid()::text')).toEqual([{ uid: '5ecfa3ab-72d1-4000-8000-000000000001' }]);
    expect(
      await session.query(`select rolname, rolcanlogin, rolbypassrls from pg_roles where rolname ~ '^(anon|auth|serv)' order by 1`),
    ).toEqual([
      { rolname: 'anon', rolcanlogin: false, rolbypassrls: false },
      { rolname: 'authenticated', rolcanlogin: false, rolbypassrls: false },
      { rolname: 'authenticator', rolcanlogin: false, rolbypassrls: false },
      { rolname: 'service_role', rolcanlogin: false, rolbypassrls: true },
    ]);
  });

  it('holds nothing that its owner does not own', async () => {
    const owned = await ask(
      (await engine.backupSource(project)).target,
      `select distinct pg_get_userbyid(o.owner) as owner from (
         select relowner as owner, oid, relnamespace as n from pg_class union all
         select proowner, oid, pronamespace from pg_proc union all
         select nspowner, oid, oid from pg_namespace
       ) o where o.oid >= 16384`,
    );
    expect(owned).toEqual([{ owner: 'bloom_atelier_owner' }]);
  });

  it('lets its owner into no other database of the server', async () => {
    const parts = await login();
    await expect(connectPostgres({ ...parts, database: 'postgres' }, { searchPath: 'role' })).rejects.toMatchObject({
      details: { sqlState: '42501' },
    });
    await expect(connectPostgres({ ...parts, database: 'template1' }, { searchPath: 'role' })).rejects.toMatchObject({
      details: { sqlState: '42501' },
    });
  });

  it('may be provisioned again without losing anything', async () => {
    await runPush(engine, project, pushOf('create table kept (id int); insert into kept values (1)'));
    await engine.provision(project);
    expect(await ask(await login(), 'select id from kept')).toEqual([{ id: 1 }]);
    await runPush(engine, project, pushOf('drop table kept'));
  });

  it('takes its own password again after the owner has changed it', async () => {
    await ask(await login(), `alter role bloom_atelier_owner password 'another'`);
    expect(await ask(await login(), 'select 1 as one')).toEqual([{ one: 1 }]);
    await ask(await login(), `alter role bloom_atelier_owner password 'another'`);
    expect(await runPush(engine, project, pushOf('select 1'))).toMatchObject({ statements: 1 });
  });

  it('does not run as superuser what the owner has put in the way of our own names', async () => {
    const trap = (name: string, type: string) => `
      create function public.trap_${name}(${type}, ${type}) returns boolean language plpgsql as $$ begin
        if (select rolsuper from pg_catalog.pg_roles where rolname operator(pg_catalog.=) current_user) then
          raise exception 'a superuser ran this';
        end if;
        return true; end $$;
      create operator public.= (leftarg = ${type}, rightarg = ${type}, function = public.trap_${name});`;
    await ask(await login(), `${trap('name', 'name')} ${trap('text', 'text')} ${trap('oid', 'oid')}`);
    await ask(await login(), `alter database bloom_atelier set search_path = public, pg_catalog`);
    try {
      await ask(await login(), `alter role bloom_atelier_owner password 'another'`);
      await engine.credentials(project);
      expect(await engine.status(project)).toMatchObject({ state: 'running', problem: null });
      await engine.backupSource(project);
      const [staging, undo] = [requireCapability(engine, 'staging', project), requireCapability(engine, 'undo', project)];
      await (await staging.open(project, STAGING)).discard();
      await (await staging.openEmpty(project)).swapIn('keep');
      await undo.swapBack(project);
      await undo.drop(
        project,
        (await undo.list(project)).map(({ name }) => name),
      );
    } finally {
      await ask(await login(), 'alter database bloom_atelier reset search_path');
      for (const type of ['name', 'text', 'oid']) await ask(await login(), `drop function public.trap_${type}(${type}, ${type}) cascade`);
    }
  });

  it('reads no ledger that is larger than a ledger may be, neither for a list nor for a push', async () => {
    const owner = await login();
    await runPush(engine, project, pushOf('select 1', { mode: 'versioned', version: '001' }));
    const before = await listMigrations(engine, project);
    const tooLarge = {
      code: 'not_ready',
      message: expect.stringMatching(/^The ledger of this project, flux.flux_migrations, is too large: Flux reads at most 16 MiB/),
      hint: expect.stringContaining('flux project credentials --field postgres.url'),
    };
    for (const rows of [
      `select 'public', i::text, repeat('f', 60), repeat('c', 60) from generate_series(1000, 60000) i`,
      `select 'public', 'one', repeat('f', 17 * 1024 * 1024), ''`,
    ]) {
      await ask(owner, `insert into flux.flux_migrations (tenant_schema, version, filename, checksum) ${rows}`);
      await expect(listMigrations(engine, project)).rejects.toMatchObject(tooLarge);
      await expect(runPush(engine, project, pushOf('select 2', { mode: 'versioned', version: '002' }))).rejects.toMatchObject(tooLarge);
      await ask(owner, `delete from flux.flux_migrations where version <> '001'`);
      expect(await listMigrations(engine, project)).toEqual(before);
    }
    // Ten thousand are none too many.
    await ask(owner, `insert into flux.flux_migrations select 'public', i::text, 'f', 'c' from generate_series(1000, 11000) i`);
    expect(await listMigrations(engine, project)).toHaveLength(10_002);
    await ask(owner, 'delete from flux.flux_migrations');
  }, 60_000);

  it('is restored over itself by its owner from outside, without one error', async () => {
    const owner = await login();
    await runPush(engine, project, pushOf(sampleSql(), { mode: 'versioned', version: '001' }));
    await runPush(
      engine,
      project,
      pushOf(`create extension if not exists pg_trgm; create extension if not exists citext;
        create view loud as select artist_id, upper(name) as name from artist;
        create materialized view counted as select count(*) from track;
        create table notes (id int generated always as identity primary key, who uuid default auth.uid(), body citext);
        alter table notes enable row level security; 
        create policy own on notes to authenticated using (who = auth.uid());
        grant select on notes to anon, authenticated;
        insert into notes (body) values ('Grüße');
        create index on notes using gin (body gin_trgm_ops);
        comment on schema public is 'ours'; comment on extension citext is 'changed';
 alter table notes force row level security;`),
    );
    const source = await engine.backupSource(project);
    const contents = await ask(source.target, contentSql('public'));
    expect(contents.length).toBeGreaterThan(2);
    expect(source).toMatchObject({ kind: 'project_db', major: place.major, internalRoles: ['flux_admin'] });
    const tools = place.toolbox.require(source.major, 'client');
    const file = join(place.folder, 'bloom.dump');
    const dump = await runProcess(tools.pgDump ?? '', ['-Fc', '-f', `${file}`], { env: libpqEnvironment(source.target) });
    expect(dump).toMatchObject({ exitCode: 0, stderr: '' });
    await chmod(file, 0o644);

    await ask(owner, `delete from notes; update artist set name = 'lost'; drop view loud`);
    const args = ['--clean', '--if-exists', '--no-owner', '--no-acl', '--dbname', uriOf(owner), file];
    const restore = await runProcess(tools.pgRestore ?? '', args);
    expect(restore).toMatchObject({ exitCode: 0, stderr: '' });

    expect(await ask(source.target, contentSql('public'))).toEqual(contents);
    expect(await ask(owner, 'select count(*) from loud')).toHaveLength(1);
    expect(await listMigrations(engine, project)).toMatchObject([{ version: '001', filename: '001_init.sql' }]);
    expect(await runPush(engine, project, pushOf(sampleSql(), { mode: 'versioned', version: '001' }))).toMatchObject({ skipped: true });
    await rm(file);
  }, 60_000);

  it('makes its owner a superuser for the time of a restore when the spec says so, with another password', async () => {
    const support = requireCapability(engine, 'staging', project);
    const powers = 'select rolname as name from pg_roles where rolsuper order by 1';
    const superusers = async () => await ask((await engine.backupSource(project)).target, powers);
    const [before, parts] = [await superusers(), await login()];
    const staging = await support.open(project, { ...STAGING, place: 'fresh', rights: 'superuser' });
    const loaded = await staging.load(async (target) => {
      await expect(ask({ ...target, password: parts.password }, 'select')).rejects.toMatchObject({ details: { sqlState: '28P01' } });
      return await ask(target, 'select rolsuper from pg_roles where rolname = current_user');
    });
    expect(loaded).toEqual([{ rolsuper: true }]);
    await expect(
      staging.load(async (target) => {
        await ask(target, 'select 1 / 0');
      }),
    ).rejects.toThrow('division by zero');
    expect(await superusers()).toEqual(before);
    // What the archive does as a superuser does not stay.
    await expect(staging.load(async (target) => await ask(target, 'alter role anon superuser'))).rejects.toThrow('anon SUPERUSER');
    await ask((await engine.backupSource(project)).target, 'alter role anon nosuperuser');
    expect(await superusers()).toEqual(before);
    expect(await ask(await login(), 'select current_user as me')).toEqual([{ me: 'bloom_atelier_owner' }]);
    await staging.discard();

    const beside = await support.open(project, { ...STAGING, rights: 'superuser' });
    const own = async (target: PostgresTarget) => await ask(target, 'select rolsuper from pg_roles where rolname = current_user');
    expect(await beside.load(own)).toEqual([{ rolsuper: false }]);
    await beside.discard();
  });

  it('says that it is stopped and how to start it', async () => {
    const parts = await login();
    await requireCapability(engine, 'power', project).stop(project);
    expect(await engine.status(project)).toMatchObject({ state: 'stopped', postgresVersion: null });
    const refusal = { code: 'instance_stopped', hint: 'Start it with `flux project start bloom-atelier`.' };
    await expect(engine.backupSource(project)).rejects.toMatchObject(refusal);
    await expect(runPush(engine, project, pushOf('select 1'))).rejects.toMatchObject(refusal);
    await expect(listMigrations(engine, project)).rejects.toMatchObject(refusal);
    expect(await login()).toEqual(parts);
    await requireCapability(engine, 'power', project).start(project);
    expect(await engine.status(project)).toMatchObject({ state: 'running' });
  }, 30_000);

  it.each(['postgres', 'pg-dump', 'select'])(
    'may be called %s',
    async (slug) => {
      const other = makeProject('v1_dedicated', slug);
      await engine.provision(other);
      expect(await ask(await login(other), 'select 1 as one')).toEqual([{ one: 1 }]);
      await engine.remove(other);
      await engine.remove(other);
      expect(await engine.status(other)).toMatchObject({ state: 'missing', postgresVersion: null });
      await expect(engine.backupSource(other)).rejects.toMatchObject({ code: 'instance_unavailable' });
    },
    30_000,
  );
});
