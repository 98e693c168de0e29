import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectPostgres } from '../../src/postgres/connect.ts';
import { runSql } from '../../src/postgres/restored-database.ts';
import { openSnapshot } from '../../src/postgres/snapshot.ts';
import { startCluster, type TestCluster } from './cluster.ts';
import { roundTrip } from './round-trip.ts';

let cluster: TestCluster;

beforeAll(async () => {
  // As an operator may have set up the host.
  cluster = await startCluster({ quote_all_identifiers: 'on', DateStyle: 'German', work_mem: '9MB' });
});
afterAll(async () => await cluster?.[Symbol.asyncDispose]());

/** Settings that Postgres lets any role have, with a value that is not the built-in one. Libraries that do not exist are tried below. */
const GIVABLE = `
  SELECT format('ALTER DATABASE %I SET %I = %L', current_database(), name, value) AS sql FROM (
    SELECT name, CASE
      WHEN name ~ 'libraries$|tablespace|^ssl|^role$|^session_auth|encoding|table_access_method|locale|^lc_|TimeZone|^timezone|text_search_config|_path$' THEN NULL
      WHEN vartype = 'bool' THEN CASE boot_val WHEN 'on' THEN 'off' ELSE 'on' END
      WHEN vartype = 'enum' THEN (SELECT v FROM unnest(enumvals) v WHERE v <> boot_val LIMIT 1)
      WHEN vartype IN ('integer', 'real') THEN CASE WHEN boot_val = max_val THEN min_val ELSE max_val END
      END AS value
    FROM pg_settings WHERE context IN ('user', 'superuser') AND name !~ '^(debug_|trace_|log_|zero_damaged|ignore_|jit|geqo|allow_in_place|allow_system|wal_|event_source)') s
  WHERE value IS NOT NULL`;

describe('a session of ours begins from known settings', () => {
  it('whatever the database gives to every session', async () => {
    const target = await cluster.createDatabase('given');
    await using admin = await connectPostgres(target);
    const statements = await admin.query<{ sql: string }>(GIVABLE);
    let given = 0;
    for (const { sql } of statements) {
      // Some values are refused for reasons of their own.
      await using other = await connectPostgres(cluster.superuser('postgres'));
      given += await other.run(sql).then(
        () => 1,
        () => 0,
      );
    }
    expect(given).toBeGreaterThan(60);
    await using session = await connectPostgres(target);
    const left = await session.query(
      `SELECT name, setting, boot_val FROM pg_settings WHERE setting <> boot_val AND context IN ('user', 'superuser')
       AND reset_val <> boot_val AND source IN ('global', 'database', 'user', 'database user')`,
    );
    expect(left).toEqual([]);
    expect(Object.keys(session.given).length).toBeGreaterThan(60);
    const [own] = await session.query(
      'SELECT current_setting($$work_mem$$) AS memory, current_setting($$quote_all_identifiers$$) AS quotes',
    );
    expect(own).toEqual({ memory: expect.any(String), quotes: 'off' });
  });

  it('as the role that it logs in as, without a search_path of others', async () => {
    const target = await cluster.createDatabase('roles');
    await cluster.run(
      'roles',
      `CREATE ROLE other; CREATE ROLE lead LOGIN IN ROLE other; ALTER ROLE lead SET role = other; ALTER ROLE lead SET search_path = x`,
    );
    await using session = await connectPostgres({ ...target, user: 'lead' });
    expect(await session.query('SELECT current_user::text AS name, current_setting($$search_path$$) AS path')).toEqual([
      { name: 'lead', path: 'pg_catalog' },
    ]);
  });

  it('when the database wants a library that nobody has', async () => {
    const target = await cluster.createDatabase('locked');
    await cluster.run('postgres', `ALTER DATABASE locked SET local_preload_libraries = 'nowhere'`);
    await using session = await connectPostgres(target);
    expect(session.given).toMatchObject({ local_preload_libraries: '' });
    await cluster.run('postgres', `ALTER DATABASE locked SET session_preload_libraries = '/nowhere'`);
    await using again = await connectPostgres(target);
    expect(again.given).toMatchObject({ session_preload_libraries: '' });
  });

  it.each([
    ['statement_timeout', '10min'],
    ['idle_session_timeout', '0'],
    ['lock_timeout', '30s'],
  ])('when the database ends every session at once: %s', async (name, ours) => {
    const target = await cluster.createDatabase(name);
    await cluster.run('postgres', `ALTER DATABASE ${name} SET ${name} = 1`);
    await using session = await connectPostgres(target);
    expect(await session.query(`SELECT current_setting('${name}') AS now FROM pg_sleep(0.05)`)).toEqual([{ now: ours }]);
    await session.query('SELECT pg_sleep(0.05)');
  });
});

it('what takes as long as the data is large has no bound for one statement, whatever the database gives', async () => {
  const target = await cluster.createDatabase('patient');
  await cluster.run('postgres', `ALTER DATABASE patient SET statement_timeout = '1ms'`);
  const refuse = `DO $$ BEGIN IF current_setting('statement_timeout') <> '0' THEN RAISE 'bound'; END IF; PERFORM pg_sleep(0.05); END $$`;
  expect(await runSql(target, refuse, new AbortController().signal)).toEqual({ problem: undefined });
  await using snapshot = await openSnapshot(target);
  await snapshot.session.run(refuse);
  for (const worker of await snapshot.openWorkers(2)) await worker.run(refuse);
});

it.each([undefined, 'role'] as const)(
  'a role whose statements would wait for the transactions of others does not keep a session waiting: %s',
  async (searchPath) => {
    await cluster.run(
      'postgres',
      `DROP ROLE IF EXISTS patient; CREATE ROLE patient LOGIN PASSWORD 'p'; CREATE TABLE IF NOT EXISTS public.held (i int);
    ALTER ROLE patient SET default_transaction_isolation = 'serializable'; ALTER ROLE patient SET default_transaction_read_only = on;
    ALTER ROLE patient SET default_transaction_deferrable = on`,
    );
    await using other = await connectPostgres({ ...cluster.superuser(), database: 'postgres' });
    await other.run('BEGIN ISOLATION LEVEL SERIALIZABLE; INSERT INTO public.held VALUES (1)');
    const target = { ...cluster.superuser(), database: 'postgres', user: 'patient', password: 'p' };
    await using session = await connectPostgres(target, { withinMs: 5000, ...(searchPath === undefined ? {} : { searchPath }) });
    expect(await session.query('select 1 as n')).toEqual([{ n: 1 }]);
  },
);

it('a database that gives such settings comes back', async () => {
  const source = await cluster.createDatabase('unkind');
  await cluster.run(
    'unkind',
    `CREATE TABLE "Order" (id int PRIMARY KEY, at timestamptz DEFAULT now(), i interval, f float8, b bytea, x xml, check (id > 0));
     INSERT INTO "Order" VALUES (1, '2026-01-01 00:00+00', '1 year 2 mons', 1.0/3, '\\xdead', '<a/>');
     CREATE VIEW all_orders AS SELECT id, at FROM "Order" WHERE id > 0; CREATE INDEX ON "Order" ((id + 1)) WHERE id > 5`,
  );
  for (const setting of [
    'quote_all_identifiers = on',
    'default_transaction_read_only = on',
    `statement_timeout = '1ms'`,
    'DateStyle = SQL',
    'IntervalStyle = sql_standard',
    'extra_float_digits = -10',
    'bytea_output = escape',
    'xmloption = document',
    'default_transaction_isolation = serializable',
    'array_nulls = off',
    'standard_conforming_strings = off',
    `local_preload_libraries = 'nowhere'`,
    'session_replication_role = replica',
    'row_security = off',
  ])
    await cluster.run('postgres', `ALTER DATABASE unkind SET ${setting}`);
  const { comparison } = await roundTrip({ from: cluster, to: cluster, source, restored: 'kind' });
  expect(comparison.differences.filter(({ judgement }) => judgement === 'failure')).toEqual([]);
});
