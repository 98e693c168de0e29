import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { requireCapability } from '../../src/engines/capabilities.ts';
import type { Engine, EngineProject } from '../../src/engines/engine.ts';
import { embeddedSharedCluster, externalSharedCluster, type SharedCluster } from '../../src/engines/shared/cluster.ts';
import { createSharedEngine } from '../../src/engines/shared/engine.ts';
import { tenantNamesOf } from '../../src/engines/shared/names.ts';
import { connectPostgres } from '../../src/postgres/connect.ts';
import { tenantAfter } from '../../src/postgres/manifest/prerequisites/tenant-after.ts';
import { libpqEnvironment, type PostgresTarget } from '../../src/postgres/target.ts';
import { runProcess } from '../../src/system/process.ts';
import { contentSql, sampleSql } from './chinook.ts';
import { listMigrations, makeProject, pushOf, quietLog, runPush } from './project.ts';
import { clock, openTestRuntime, standings, type TestRuntime } from './runtime.ts';

let place: TestRuntime;
let cluster: SharedCluster;
let engine: Engine;
let project: EngineProject;

beforeAll(async () => {
  place = await openTestRuntime();
  cluster = embeddedSharedCluster({ runtime: place.runtime, major: () => place.major, publicHost: '127.0.0.1' });
  engine = createSharedEngine({ cluster, standings, clock, log: quietLog });
  project = makeProject('v2_shared');
}, 60_000);

afterAll(() => place?.close());

const ask = async (target: PostgresTarget, sql: string) => {
  await using session = await connectPostgres(target, { searchPath: 'role' });
  return await session.query(sql);
};

describe('a shared project', () => {
  it('is missing, and its removal nothing, before there is a cluster', async () => {
    expect(await engine.status(project)).toMatchObject({ state: 'missing', postgresVersion: null });
    await expect(runPush(engine, project, pushOf('select 1'))).rejects.toMatchObject({ code: 'instance_unavailable' });
    await engine.remove(project);
  });

  it('is made together with others at the same moment, and again', async () => {
    const others = Array.from({ length: 6 }, (_, i) => makeProject('v2_shared', `other-${i}`));
    await Promise.all([project, ...others].map((each) => engine.provision(each)));
    await Promise.all([engine.provision(project), ...others.map((each) => engine.remove(each))]);
    await engine.provision(project);
    expect(await engine.status(project)).toMatchObject({ id: 'shared', state: 'running', major: place.major, problem: null });
    expect(engine.apiSchema(project)).toMatch(/^t_[0-9a-f]{12}_api$/);
  }, 60_000);

  it('lets its login use what is pushed and make nothing', async () => {
    await runPush(
      engine,
      project,
      pushOf(`create table notes (id int generated always as identity, body text, n serial);
      create function twice(n int) returns int language sql as 'select n * 2'; create view v as select body from notes`),
    );
    const login = await engine.credentials(project);
    const names = tenantNamesOf(project);
    expect(login).toMatchObject({ user: names.login, host: '127.0.0.1', database: 'flux_shared' });
    await ask(login, `insert into notes (body) values ('hello')`);
    await ask(login, `update notes set body = body || '!'`);
    expect(await ask(login, 'select body, twice(n) from notes')).toEqual([{ body: 'hello!', twice: 2 }]);
    expect(await ask(login, `select current_setting('search_path') as path, current_setting('statement_timeout') as timeout`)).toEqual([
      { path: names.schema, timeout: '1min' },
    ]);
    for (const sql of ['create table t (i int)', 'drop table notes', 'truncate notes', 'alter table notes add x int'])
      await expect(ask(login, sql)).rejects.toMatchObject({ code: '42501' });
  });

  it('keeps its passwords, whatever the tenant sets', async () => {
    const names = tenantNamesOf(project);
    await ask(await engine.credentials(project), `alter role ${names.login} password 'another'`);
    expect(await ask(await engine.credentials(project), 'select 1 as one')).toEqual([{ one: 1 }]);
    await runPush(
      engine,
      project,
      pushOf(`alter role ${names.ddl} password 'another'; alter role ${names.ddl} set search_path = pg_catalog`),
    );
    expect(await runPush(engine, project, pushOf('create table found_again (i int)'))).toMatchObject({ statements: 1 });
    await runPush(
      engine,
      project,
      pushOf(`drop table ${names.schema}.found_again; alter role ${names.ddl} set default_transaction_read_only = on`),
    );
    expect(await runPush(engine, project, pushOf('create table t (); drop table t'))).toMatchObject({ statements: 2 });
  });

  it('is dumped whole by a role that can only read it', async () => {
    await runPush(
      engine,
      project,
      pushOf(`${sampleSql()}; create table locked (id serial, x int); insert into locked (x) values (1);
        alter table locked enable row level security; alter table locked force row level security;
        revoke all on all tables in schema ${engine.apiSchema(project)} from ${tenantNamesOf(project).backup};
        revoke all on all sequences in schema ${engine.apiSchema(project)} from ${tenantNamesOf(project).backup};
        revoke all on schema ${engine.apiSchema(project)} from ${tenantNamesOf(project).backup}`),
    );
    const source = await engine.backupSource(project);
    const names = tenantNamesOf(project);
    expect(source).toMatchObject({ kind: 'tenant_export', major: place.major, schema: names.schema, internalRoles: [names.backup] });
    expect(await ask(source.target, `select rolsuper, rolbypassrls from pg_roles where rolname = current_user`)).toEqual([
      { rolsuper: false, rolbypassrls: true },
    ]);
    const table = `${names.schema}.locked`;
    await expect(ask(source.target, `delete from ${table}`)).rejects.toMatchObject({ code: '25006' });
    await expect(ask(source.target, `begin; set transaction read write; delete from ${table}`)).rejects.toMatchObject({ code: '42501' });

    const tools = place.toolbox.require(source.major, 'client');
    const file = join(place.folder, 'tenant.dump');
    const args = ['-Fc', `--schema=${names.schema}`, '--no-owner', '--no-acl', '-f', file];
    expect(await runProcess(tools.pgDump ?? '', args, { env: libpqEnvironment(source.target) })).toMatchObject({ exitCode: 0, stderr: '' });
    await ask(cluster.admin(), 'create database elsewhere');
    const elsewhere = { ...cluster.admin(), database: 'elsewhere' };
    const restore = ['--no-owner', '--no-acl', '--exit-on-error', '--dbname', 'elsewhere', file];
    expect(await runProcess(tools.pgRestore ?? '', restore, { env: libpqEnvironment(elsewhere) })).toMatchObject({
      exitCode: 0,
      stderr: '',
    });
    expect(await ask(elsewhere, contentSql(names.schema))).toEqual(await ask(cluster.admin(), contentSql(names.schema)));
    await ask(cluster.admin(), 'drop database elsewhere');
    await rm(file);
  }, 60_000);

  it('tells its dump role the ledger, its own only', async () => {
    await runPush(engine, project, pushOf('select 1', { mode: 'versioned', version: '7' }));
    const { target } = await engine.backupSource(project);
    expect(await ask(target, 'select version from flux.list_migrations()')).toEqual([{ version: '7' }]);
    await using session = await connectPostgres(target, { searchPath: 'role' });
    const after = await tenantAfter(session, { schema: engine.apiSchema(project), internalRoles: [target.user] });
    expect(after.ledger).toMatchObject([{ version: '7', filename: '001_init.sql' }]);
    await expect(ask(target, `select flux.record_migration('8', 'x', 'y')`)).rejects.toMatchObject({ code: '42501' });
  });

  it('has no ledger read that is larger than a ledger may be, neither for a list nor for a manifest', async () => {
    const other = makeProject('v2_shared', 'much-pushed');
    await engine.provision(other);
    await runPush(engine, other, pushOf(`select flux.claim_migration(i::text, repeat('f', 5000), 'c') from generate_series(1, 4000) i`));
    const tooLarge = { code: 'not_ready', hint: expect.stringContaining('Have the operator delete the rows') };
    await expect(listMigrations(engine, other)).rejects.toMatchObject(tooLarge);
    const { target, schema = '' } = await engine.backupSource(other);
    await using session = await connectPostgres(target);
    await expect(tenantAfter(session, { schema, internalRoles: [] })).rejects.toMatchObject(tooLarge);
    expect((await listMigrations(engine, project)).length).toBeLessThan(10);
    await engine.remove(other);
  }, 60_000);

  it('keeps its ledger and its rights to it when the layout of the database is renewed', async () => {
    const comment = `select obj_description('flux'::regnamespace, 'pg_namespace') as layout`;
    const [now] = await ask(cluster.admin(), comment);
    await ask(cluster.admin(), `comment on schema flux is 'Flux shared database, layout 1'`);
    const before = await listMigrations(engine, project);
    expect(before).toHaveLength(1);

    await cluster.open();

    expect(await ask(cluster.admin(), comment)).toEqual([now]);
    expect(await listMigrations(engine, project)).toEqual(before);
    const dryRun = pushOf('select 999', { mode: 'versioned', version: '999', dryRun: true });
    expect(await runPush(engine, project, dryRun)).toMatchObject({ skipped: false });
  });

  it('cannot be stopped, and is repaired when its schema was dropped', async () => {
    expect(() => requireCapability(engine, 'power', project)).toThrow(
      expect.objectContaining({ code: 'invalid_request', hint: expect.stringContaining('flux migrate') }),
    );
    const other = makeProject('v2_shared', 'other');
    await engine.provision(other);
    await runPush(engine, other, pushOf(`drop schema ${engine.apiSchema(other)} cascade`));
    expect(await engine.status(other)).toMatchObject({ state: 'missing' });
    const refusal = { code: 'not_ready', hint: expect.stringContaining('flux project start other') };
    await expect(runPush(engine, other, pushOf('select 1'))).rejects.toMatchObject(refusal);
    await expect(engine.backupSource(other)).rejects.toMatchObject(refusal);
    await requireCapability(engine, 'pooled', other).repair(other);
    expect(await runPush(engine, other, pushOf('create table t (i int)'))).toMatchObject({ statements: 1 });
    await engine.remove(other);
  });

  it('lets go of a write block without an error when the pool is down, and what that leaves goes with the tenant', async () => {
    const moving = makeProject('v2_shared', 'moving');
    await engine.provision(moving);
    const triggers = () =>
      ask(cluster.admin(), `select evtname from pg_event_trigger union all select proname from pg_proc where proname ~ '_moves$'`);
    const block = await requireCapability(engine, 'pooled', moving).blockWrites(moving, new AbortController().signal);
    await place.runtime.stop('shared');
    await block[Symbol.asyncDispose]();
    await place.runtime.start('shared');
    expect(await triggers()).toHaveLength(2);
    await engine.remove(moving);
    expect(await triggers()).toEqual([]);
  });

  it('goes to the trash when nobody has asked for its removal, and an empty one goes at once', async () => {
    const trash = () => ask(cluster.admin(), `select nspname as name from pg_namespace where nspname ~ '^trash_'`);
    const roles = () => ask(cluster.admin(), `select rolname from pg_roles where rolname ~ '^trash_' and rolcanlogin`);
    const [empty, lost, reader] = ['empty', 'lost', 'reader'].map((slug) => makeProject('v2_shared', slug)) as [
      EngineProject,
      EngineProject,
      EngineProject,
    ];
    for (const each of [empty, lost, reader]) await engine.provision(each);
    await engine.remove(empty, { to: 'trash' });
    expect(await trash()).toEqual([]);
    await runPush(
      engine,
      lost,
      pushOf(
        `create table t as select generate_series(1, 100) as n; grant usage on schema ${engine.apiSchema(lost)} to ${tenantNamesOf(reader).role};
        grant select on t to ${tenantNamesOf(reader).role}`,
        { mode: 'versioned', version: '1' },
      ),
    );
    const login = await engine.credentials(lost);
    await engine.remove(lost, { to: 'trash' });
    const [schema] = (await trash()) as { name: string }[];
    expect(schema?.name).toMatch(/^trash_\d{8}t\d{6}_[0-9a-f]{12}_api$/);
    expect(await ask(cluster.admin(), `select count(*)::int as n from ${schema?.name}.t`)).toEqual([{ n: 100 }]);
    expect(await roles()).toEqual([]);
    await expect(connectPostgres(login)).rejects.toThrow();
    await expect(ask(await engine.credentials(reader), `select n from ${schema?.name}.t`)).rejects.toThrow(/permission denied/);
    expect(await engine.status(lost)).toMatchObject({ state: 'missing' });
    // The same project can be created again, and does not count or remove what lies in the trash.
    await engine.provision(lost);
    expect(await engine.measureBytes?.(lost)).toBe(0);
    expect(await listMigrations(engine, lost)).toEqual([]);
    await engine.remove(lost);
    const day = 86_400_000;
    expect(await engine.emptyTrash?.(day, new Date(), expect.unreachable)).toEqual([]);
    expect(await trash()).toHaveLength(1);
    expect(await engine.emptyTrash?.(day, new Date(Date.now() + 2 * day), expect.unreachable)).toHaveLength(1);
    expect(await trash()).toEqual([]);
    expect(await ask(cluster.admin(), `select rolname from pg_roles where rolname ~ '^trash_'`)).toEqual([]);
    await engine.remove(reader);
  });

  it('is kept from the latest time on that was seen, as undo data and in the trash, when the clock is behind', async () => {
    const latest = new Date(Math.floor(Date.now() / 1000) * 1000 + 30 * 86_400_000);
    const behind = createSharedEngine({ cluster, standings, clock: { latest: () => latest }, log: quietLog });
    const restored = makeProject('v2_shared', 'behind');
    await behind.provision(restored);
    await runPush(behind, restored, pushOf('create table t (n int)', { mode: 'versioned', version: '1' }));
    const undo = requireCapability(behind, 'undo', restored);
    await (await requireCapability(behind, 'staging', restored).openEmpty(restored)).swapIn('keep');
    expect(await undo.list(restored)).toMatchObject([{ replacedAt: latest }]);
    await undo.swapBack(restored);
    expect(await undo.list(restored)).toMatchObject([{ replacedAt: new Date(latest.getTime() + 1000) }]);

    // A creation that is cut off again meanwhile finds the name taken.
    await behind.remove(restored, { to: 'trash' });
    await behind.provision(restored);
    await runPush(behind, restored, pushOf('create table t (n int)', { mode: 'versioned', version: '1' }));
    await behind.remove(restored, { to: 'trash' });
    const timeAt = (ms: number) => new Date(ms).toISOString().slice(0, 19).replaceAll(/[-:]/g, '').toLowerCase();
    const prefixAt = (ms: number) => tenantNamesOf(restored).schema.replace(/^t_(.*)_api$/, `trash_${timeAt(ms)}_$1`);
    const [from, week] = [latest.getTime(), 7 * 86_400_000];
    expect(await behind.emptyTrash?.(week, new Date(from + week - 1), expect.unreachable)).toEqual([]);
    const deleted = await behind.emptyTrash?.(week, new Date(from + week + 1000), expect.unreachable);
    expect(deleted).toEqual([prefixAt(from), prefixAt(from + 1000)]);
  });

  it('that cannot be deleted from the trash does not keep the others there', async () => {
    const [held, free] = [makeProject('v2_shared', 'held'), makeProject('v2_shared', 'free')];
    for (const project of [held, free]) {
      await engine.provision(project);
      await runPush(engine, project, pushOf('create table t (n int)', { mode: 'versioned', version: '1' }));
      await engine.remove(project, { to: 'trash' });
    }
    const [role] = (await ask(cluster.admin(), `select rolname from pg_roles where rolname ~ '^trash_.*' order by 1`)) as {
      rolname: string;
    }[];
    const elsewhere = { ...cluster.admin(), database: 'postgres' };
    await ask(elsewhere, `create table held (n int); grant select on held to ${role?.rolname}`);
    const later = new Date(Date.now() + 1000);
    const problems: string[] = [];
    const deleted = await engine.emptyTrash?.(0, later, (name, error) => problems.push(`${name}: ${(error as Error).message}`));
    expect(deleted).toHaveLength(1);
    expect(problems).toEqual([expect.stringMatching(/^trash_.*: .*depend/s)]);
    await ask(elsewhere, 'drop table held');
    expect(await engine.emptyTrash?.(0, later, expect.unreachable)).toHaveLength(1);
  });

  it('is removed with its sessions, roles and ledger, and nothing else is', async () => {
    const gone = makeProject('v2_shared', 'gone');
    await engine.provision(gone);
    await runPush(engine, gone, pushOf('create table t (i int); grant select on t to anon', { mode: 'versioned', version: '1' }));
    await using busy = await connectPostgres(await engine.credentials(gone), { searchPath: 'role' });
    await busy.run('begin; select * from t');
    await engine.remove(gone);
    await engine.remove(gone);
    await expect(busy.run('select 1')).rejects.toThrow();
    const prefix = tenantNamesOf(gone).schema.slice(0, 14);
    const left = `select rolname::text as name from pg_roles where rolname like '${prefix}%'
      union all select nspname from pg_namespace where nspname like '${prefix}%'
      union all select version from flux.flux_migrations where tenant_schema like '${prefix}%'
      union all select defaclrole::text from pg_default_acl where defaclrole not in (select oid from pg_roles)`;
    expect(await ask(cluster.admin(), left)).toEqual([]);
    expect(await listMigrations(engine, project)).toHaveLength(1);
    expect(await engine.status(gone)).toMatchObject({ state: 'missing' });
    await expect(engine.credentials(gone)).rejects.toMatchObject({ code: 'instance_unavailable' });
  });

  it('lets no password appear in the log of a server that logs everything', async () => {
    await ask(cluster.admin(), `alter system set log_statement = 'all'`);
    await ask(cluster.admin(), 'select pg_reload_conf()');
    const other = makeProject('v2_shared', 'logged');
    await engine.provision(other);
    await runPush(engine, other, pushOf(`alter role ${tenantNamesOf(other).ddl} password 'another'`));
    await runPush(engine, other, pushOf('select 1'));
    await ask(cluster.admin(), 'alter system reset all');
    await ask(cluster.admin(), 'select pg_reload_conf()');
    await engine.remove(other);
    const log = await readLogs(place.folder);
    expect(log).toContain(`CREATE ROLE "${tenantNamesOf(other).backup}"`);
    expect(log).toContain(`ALTER ROLE "${tenantNamesOf(other).ddl}" PASSWORD 'SCRAM-SHA-256$`);
    for (const secret of Object.values(other.secrets)) if (secret) expect(log).not.toContain(secret);
  });
});

async function readLogs(folder: string): Promise<string> {
  const files = (await readdir(folder, { recursive: true })).filter((name) => name.includes('shared') && /\blog\b/.test(name));
  return (await Promise.all(files.map((name) => readFile(join(folder, name), 'utf8').catch(() => '')))).join('\n');
}

describe('an external shared cluster', () => {
  it('takes tenants when its administrator is a superuser, and says so when not', async () => {
    await place.runtime.create({ id: 'external', major: place.major, network: 'loopback' });
    const { port } = await place.runtime.status('external');
    const target = { ...place.runtime.superuser('external'), host: '127.0.0.1', port: port ?? 0 };
    const external = createSharedEngine({ cluster: externalSharedCluster({ target, log: quietLog }), standings, clock, log: quietLog });
    await external.remove(project);
    await external.provision(project);
    expect(await external.status(project)).toMatchObject({ state: 'running', port });
    expect(await ask(await external.credentials(project), 'select 1 as one')).toEqual([{ one: 1 }]);
    await ask(target, `create role weak login createrole password 'weak'; grant connect on database postgres to weak`);
    const weak = externalSharedCluster({ target: { ...target, user: 'weak', password: 'weak' }, log: quietLog });
    await expect(weak.open()).rejects.toMatchObject({ code: 'config_invalid', hint: expect.stringContaining('FLUX_SHARED_POSTGRES_URL') });
    await place.runtime.stop('external');
    expect(await external.status(project)).toMatchObject({ state: 'failing', postgresVersion: null });
    await expect(external.backupSource(project)).rejects.toMatchObject({ code: 'instance_unavailable' });
  }, 60_000);
});
