import { tmpdir } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine, EngineProject } from '../../src/engines/engine.ts';
import { embeddedSharedCluster, externalSharedCluster, type SharedCluster } from '../../src/engines/shared/cluster.ts';
import { createSharedEngine } from '../../src/engines/shared/engine.ts';
import { watchPool } from '../../src/engines/shared/guard.ts';
import { tenantNamesOf } from '../../src/engines/shared/names.ts';
import { createOwnerLogin } from '../../src/engines/shared/owner-login.ts';
import { connectPostgres, type PostgresSession } from '../../src/postgres/connect.ts';
import { openDumpSession } from '../../src/postgres/dump-session.ts';
import { openPostgresPrograms } from '../../src/postgres/programs.ts';
import type { PostgresTarget } from '../../src/postgres/target.ts';
import { makeProject, pushOf, quietLog, runPush } from './project.ts';
import { clock, openTestRuntime, standings, type TestRuntime } from './runtime.ts';

let place: TestRuntime;
let cluster: SharedCluster;
let engine: Engine;

const MIB = 2 ** 20;

beforeAll(async () => {
  place = await openTestRuntime();
  cluster = embeddedSharedCluster({ runtime: place.runtime, major: () => place.major, publicHost: '127.0.0.1', tempFileBytes: MIB });
  engine = createSharedEngine({ cluster, standings, clock, log: quietLog });
}, 60_000);
afterAll(() => place?.close());

async function newProject(slug: string): Promise<EngineProject> {
  const project = makeProject('v2_shared', slug);
  await engine.provision(project);
  return project;
}

async function open(project: EngineProject, more: Partial<PostgresTarget> = {}): Promise<PostgresSession> {
  return await connectPostgres({ ...(await engine.credentials(project)), ...more }, { searchPath: 'role' });
}

async function askAdmin<Row extends object>(sql: string, parameters: readonly unknown[] = []): Promise<Row[]> {
  await using session = await connectPostgres(cluster.admin());
  return await session.query<Row>(sql, parameters);
}

const timed = async (work: () => Promise<unknown>): Promise<number> => {
  const began = performance.now();
  await work();
  return performance.now() - began;
};

describe('a tenant that is removed', () => {
  it('is held up by no other one that reads its tables, and holds up nobody', async () => {
    const gone = await newProject('gone');
    const reader = await newProject('reader');
    const names = tenantNamesOf(reader);
    const { schema } = tenantNamesOf(gone);
    await runPush(
      engine,
      gone,
      pushOf(`create table mine (i int); create view v as select * from mine; create function f() returns int language sql as 'select 1';
        grant usage on schema ${schema} to ${names.login}, ${names.ddl}; grant select on mine, v to ${names.login}, ${names.ddl}`),
    );
    await runPush(engine, reader, pushOf(`create view over as select * from ${schema}.mine; grant select on over to ${names.role}`));
    await using held = await open(reader);
    await held.run(`begin; select count(*) from ${schema}.mine`);
    await using holdsView = await open(reader);
    await holdsView.run('begin; select count(*) from over');

    const removing = timed(() => engine.remove(gone));
    const creating = await timed(async () => newProject('innocent'));
    expect(creating).toBeLessThan(3000);
    expect(await removing).toBeLessThan(5000);
    expect(await engine.status(gone)).toMatchObject({ state: 'missing' });
    expect(await askAdmin(`select rolname from pg_roles where rolname ~ $1`, [`^${schema.slice(0, 14)}`])).toEqual([]);
    await expect(held.query('select 1')).rejects.toThrow();
    expect(await engine.status(reader)).toMatchObject({ state: 'running' });
  });

  it('keeps the common lock for a moment, however much there is of it', async () => {
    const large = await newProject('large');
    await runPush(
      engine,
      large,
      pushOf(`do $$ begin for n in 1..300 loop execute format('create table t_%s (id int primary key, x text)', n); end loop; end $$;
        create table parent (i int, n int references t_1) partition by list (i); create table child partition of parent for values in (1);
        create materialized view mv as select * from t_2; create sequence s; create type mood as enum ('sad')`),
    );
    const ended = new AbortController();
    const longest = { ms: 0 };
    const looking = (async () => {
      await using session = await connectPostgres(cluster.admin());
      while (!ended.signal.aborted) {
        const rows = await session.query<{ ms: number }>(
          `select extract(epoch from clock_timestamp() - a.query_start) * 1000 as ms from pg_locks l join pg_stat_activity a using (pid)
           where l.relation = 'flux.turn'::regclass and l.granted and l.mode = 'ExclusiveLock'`,
        );
        for (const { ms } of rows) longest.ms = Math.max(longest.ms, Number(ms));
        await delay(5);
      }
    })();
    await engine.remove(large);
    ended.abort();
    await looking;
    expect(longest.ms).toBeLessThan(500);
    expect(await engine.status(large)).toMatchObject({ state: 'missing' });
  }, 60_000);
});

describe('a pooled login', () => {
  let project: EngineProject;
  let guard: AsyncDisposable;
  beforeAll(async () => {
    project = await newProject('tenant');
    const watch = await watchPool({
      cluster,
      bounds: { statementMs: 1500, idleTransactionMs: 1500, transactionMs: 4000, ownerMs: 3000 },
      log: quietLog,
      everyMs: 200,
    });
    guard = { [Symbol.asyncDispose]: () => watch.stop() };
  });
  afterAll(async () => await guard?.[Symbol.asyncDispose]());

  it('cannot lift the bound of a statement, neither for itself nor for its role', async () => {
    const sleepers = [
      'set statement_timeout = 0',
      `select set_config('statement_timeout', '0', false)`,
      `do $$ begin perform set_config('statement_timeout', '0', false); end $$`,
      'alter role current_user set statement_timeout = 0',
    ].map(async (sql) => {
      await using session = await open(project);
      await session.run(sql);
      await using again = await open(project);
      const sleeping = (sql.startsWith('alter') ? again : session).query('select pg_sleep(20)');
      return await timed(() => expect(sleeping).rejects.toMatchObject({ code: '57P01' }));
    });
    for (const took of await Promise.all(sleepers)) expect(took).toBeLessThan(5000);
  });

  it('cannot lift it in its connection string, nor by catching what ends it', async () => {
    const { options } = { options: '-c statement_timeout=0 -c idle_in_transaction_session_timeout=0' };
    await using session = await open(project, { options });
    expect(await session.query('show statement_timeout')).toEqual([{ statement_timeout: '0' }]);
    const stubborn = `do $$ begin loop begin perform pg_sleep(20); exception when query_canceled or admin_shutdown then null; end; end loop; end $$`;
    const took = await timed(() => expect(session.run(stubborn)).rejects.toMatchObject({ code: '57P01' }));
    expect(took).toBeLessThan(5000);
  });

  it('cannot keep a transaction open, idle or busy', async () => {
    await using idle = await open(project, { options: '-c idle_in_transaction_session_timeout=0' });
    await idle.run('begin; select 1');
    await using busy = await open(project, { options: '-c statement_timeout=0' });
    await busy.run('begin; select 1');
    const until = performance.now() + 8000;
    let ended = 0;
    while (performance.now() < until && ended === 0) {
      await delay(300);
      ended = await busy.query('select 1').then(
        () => 0,
        () => performance.now(),
      );
    }
    expect(ended).toBeGreaterThan(0);
    await expect(idle.query('select 1')).rejects.toThrow();
  });

  it.each([
    'set temp_file_limit = -1',
    'alter role current_user set temp_file_limit = -1',
    `select set_config('temp_file_limit', '-1', false)`,
    'alter database flux_shared set temp_file_limit = -1',
    'create function lifted() returns int language sql set temp_file_limit = -1 as $$ select 1 $$',
  ])('cannot write temporary files without bound: %s', async (sql) => {
    await using session = await open(project);
    await expect(session.run(sql)).rejects.toMatchObject({ code: '42501' });
  });

  it('cannot write them after it has reset all settings of its role, nor ask for more as it logs in', async () => {
    await using session = await open(project);
    await session.run('alter role current_user reset all').catch(() => undefined);
    await using again = await open(project);
    const spilling = again.run('select count(*) from (select g from generate_series(1, 300000) g order by random()) x');
    await expect(spilling).rejects.toMatchObject({ code: '53400' });
    await expect(open(project, { options: '-c temp_file_limit=-1' })).rejects.toMatchObject({ details: { sqlState: '42501' } });
  });

  it('as owner writes more, and cannot lift that either', async () => {
    await runPush(
      engine,
      project,
      pushOf('create table sorted as select random() as x from generate_series(1, 100000); create index on sorted (x)'),
    );
    const lifted = runPush(engine, project, pushOf('set temp_file_limit = -1'));
    await expect(lifted).rejects.toMatchObject({ details: { sqlState: '42501' } });
    const long = runPush(engine, project, pushOf('set statement_timeout = 0; select pg_sleep(30)'));
    await expect(long).rejects.toMatchObject({ code: 'instance_unavailable' });
  });
});

it('a cluster of an earlier release is brought up to date', async () => {
  const old = await newProject('old');
  const names = tenantNamesOf(old);
  await askAdmin(`alter role ${names.ddl} login`);
  await askAdmin(`alter role ${names.ddl} reset temp_file_limit`);
  await askAdmin('alter database flux_shared reset temp_file_limit');
  await cluster.prepare();
  const [role] = await askAdmin<{ login: boolean; settings: string[] }>(
    'select rolcanlogin as login, rolconfig as settings from pg_roles where rolname = $1',
    [names.ddl],
  );
  expect(role?.login).toBe(false);
  expect(role?.settings).toContain(`temp_file_limit=${16 * 1024}kB`);
  await using session = await open(old);
  expect(await session.query('show temp_file_limit')).toEqual([{ temp_file_limit: '1MB' }]);
});

it('another server that begins with the same pool leaves the owner of a restore that runs its login', async () => {
  const project = await newProject('restoring');
  const { ddl } = tenantNamesOf(project);
  const owner: PostgresTarget = { ...(await engine.credentials(project)), user: ddl, password: 'of the restore' };
  const login = createOwnerLogin(() => cluster.admin(), quietLog, 100);
  const another = embeddedSharedCluster({ runtime: place.runtime, major: () => place.major, publicHost: '127.0.0.1' });
  const connect = async () => await (await connectPostgres(owner, { searchPath: 'role' })).close();
  const validFor = async () => {
    const [row] = await askAdmin<{ s: number }>(
      'select extract(epoch from rolvaliduntil - now())::int as s from pg_roles where rolname = $1',
      [ddl],
    );
    return Number(row?.s);
  };
  await login.during(owner, async () => {
    await another.prepare();
    await connect();
    // What was left by a server that died ends by itself, and what lasts is prolonged.
    expect(await validFor()).toBeLessThanOrEqual(300);
    await askAdmin(`alter role ${ddl} valid until '${new Date(Date.now() + 5000).toISOString()}'`);
    await delay(1000);
    expect(await validFor()).toBeGreaterThan(200);
    await another.prepare();
    await connect();
  });
  await expect(connect()).rejects.toMatchObject({ code: 'instance_unavailable' });
  // An earlier release lets it in without end.
  await askAdmin(`alter role ${ddl} login valid until 'infinity'`);
  await another.prepare();
  expect(await askAdmin('select rolcanlogin as login from pg_roles where rolname = $1', [ddl])).toEqual([{ login: false }]);
});

it('a server that only reads watches the pool, and changes nothing in it', async () => {
  const project = await newProject('foreign');
  const { ddl } = tenantNamesOf(project);
  await askAdmin(`alter role ${ddl} login valid until 'infinity'`);
  const bounds = { statementMs: 1500, idleTransactionMs: 1500, transactionMs: 4000, ownerMs: 3000 };
  const watch = await watchPool({ cluster: { admin: () => cluster.admin() }, bounds, log: quietLog });
  await watch.stop();
  expect(await askAdmin('select rolcanlogin as login from pg_roles where rolname = $1', [ddl])).toEqual([{ login: true }]);
});

it('pushes that never end take neither the places of other work nor all of those for pushes', async () => {
  await place.runtime.create({ id: 'small', major: place.major, network: 'loopback', settings: { max_connections: '40' } });
  const { port } = await place.runtime.status('small');
  const target = { ...place.runtime.superuser('small'), host: '127.0.0.1', port: port ?? 0 };
  const small = createSharedEngine({ cluster: externalSharedCluster({ target, log: quietLog }), standings, clock, log: quietLog });
  const projects = Array.from({ length: 6 }, (_, n) => makeProject('v2_shared', `small-${n}`));
  for (const project of projects) await small.provision(project);
  const [honest, ...sleepers] = projects as [EngineProject, ...EngineProject[]];
  const ended = new AbortController();
  const sleeping = sleepers.map((project) =>
    runPush(small, project, pushOf('select pg_sleep(600)', { by: project.id, signal: ended.signal })).catch((error) => error),
  );
  // Three dumps beside them, and all sessions together are no more than Flux may have there: 12 of 40.
  const programs = openPostgresPrograms(place.toolbox, { account: undefined, memoryBytes: 2 ** 32, scratchFolder: tmpdir() });
  await using watcher = await connectPostgres(place.runtime.superuser('small'));
  const seen: number[] = [];
  let isOver = false;
  const watching = (async () => {
    for (; !isOver; await delay(20)) {
      const [row] = await watcher.query<{ n: number }>(
        `select count(*)::int as n from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()`,
      );
      seen.push(row?.n ?? 0);
    }
  })();
  const dumping = projects.slice(0, 3).map(async (project) => {
    await using session = await openDumpSession(programs, await small.backupSource(project), ended.signal);
    const drain = async (bytes: AsyncIterable<Buffer>) => {
      for await (const _ of bytes);
    };
    await Promise.all([session.recordManifest(() => undefined), session.dump(drain)]);
  });
  await delay(3000);
  await Promise.all(dumping);
  const took = await Promise.all([
    timed(() => small.status(honest)),
    timed(() => small.provision(makeProject('v2_shared', 'small-new'))),
    timed(async () => await (await connectPostgres((await small.backupSource(honest)).target)).close()),
  ]);
  for (const ms of took) expect(ms).toBeLessThan(2000);
  expect(await timed(() => runPush(small, honest, pushOf('create table t (id int)', { by: honest.id })))).toBeLessThan(15_000);
  isOver = true;
  await watching;
  expect(Math.max(...seen)).toBeGreaterThan(4);
  expect(Math.max(...seen)).toBeLessThanOrEqual(12);
  ended.abort();
  const codes = (await Promise.all(sleeping)).map(({ code }) => code);
  expect(codes.every((code) => ['instance_unavailable', 'interrupted'].includes(code))).toBe(true);
  expect(codes).toContain('instance_unavailable');
}, 90_000);

it('a push that takes longer than it may is ended and applies nothing', async () => {
  const project = await newProject('endless');
  const sql = 'create table half (id int); select pg_sleep(600)';
  await expect(runPush(engine, project, pushOf(sql, { timeoutMs: 1000 }))).rejects.toMatchObject({
    code: 'sql_failed',
    hint: expect.stringContaining('FLUX_PUSH_TIMEOUT'),
  });
  await using session = await open(project);
  expect(await session.query(`select to_regclass('half') as half`)).toEqual([{ half: null }]);
});
