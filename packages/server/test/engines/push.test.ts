import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDedicatedEngine } from '../../src/engines/dedicated/engine.ts';
import type { Engine, EngineProject } from '../../src/engines/engine.ts';
import { embeddedSharedCluster } from '../../src/engines/shared/cluster.ts';
import { createSharedEngine } from '../../src/engines/shared/engine.ts';
import { connectPostgres } from '../../src/postgres/connect.ts';
import type { PostgresTarget } from '../../src/postgres/target.ts';
import { sampleSql } from './chinook.ts';
import { listMigrations, makeProject, pushOf, quietLog, runPush } from './project.ts';
import { clock, openTestRuntime, standings, type TestRuntime } from './runtime.ts';

let place: TestRuntime;

beforeAll(async () => {
  place = await openTestRuntime();
}, 60_000);

afterAll(() => place?.close());

const makeEngine = (kind: 'v1_dedicated' | 'v2_shared'): Engine => {
  const { runtime, toolbox, major } = place;
  const cluster = embeddedSharedCluster({ runtime, major: () => major, publicHost: '127.0.0.1' });
  return kind === 'v2_shared'
    ? createSharedEngine({ cluster, standings, clock, log: quietLog })
    : createDedicatedEngine({ runtime, standings, clock, toolbox, defaultMajor: () => major, publicHost: '127.0.0.1', log: quietLog });
};

describe.each(['v1_dedicated', 'v2_shared'] as const)('a push to %s', (kind) => {
  let engine: Engine;
  let project: EngineProject;
  let login: PostgresTarget;

  beforeAll(async () => {
    engine = makeEngine(kind);
    project = makeProject(kind);
    await engine.provision(project);
    login = await engine.credentials(project);
  }, 60_000);

  const ask = async (sql: string) => {
    await using session = await connectPostgres(login, { searchPath: 'role' });
    return await session.query(sql);
  };
  const failed = async (sql: string, more: Parameters<typeof pushOf>[1] = {}) =>
    runPush(engine, project, pushOf(sql, more)).then(
      () => Promise.reject(new Error('the push succeeded')),
      (error) => error,
    );
  const isThere = async (table: string) => {
    const [row] = await ask(`select to_regclass('${table}') is not null as there`);
    return row?.there;
  };

  it('takes the sample database in a few seconds, and 15,600 single INSERTs too', async () => {
    const started = performance.now();
    await runPush(engine, project, pushOf(sampleSql()));
    await runPush(engine, project, pushOf('create table many (id int primary key, body text)'));
    const inserts = Array.from({ length: 15_600 }, (_, i) => `INSERT INTO many VALUES (${i}, N'Grüße; 😀 ${i}');`).join('\n');
    expect(await runPush(engine, project, pushOf(inserts))).toMatchObject({ skipped: false, statements: 15_600, warnings: [] });
    expect(await ask('select count(*) from many')).toEqual([{ count: '15600' }]);
    // Measured at under 2 s on two busy cores; a round trip for each statement would be far beyond this.
    expect(performance.now() - started).toBeLessThan(15_000);

    const broken = await failed(inserts.replaceAll('VALUES (', 'VALUES (100000 + ').replace('100000 + 14321,', '14321,'));
    expect(broken).toMatchObject({ code: 'sql_failed', details: { line: 14_322, column: 1, sqlState: '23505' } });
    expect(broken.details.statement).toMatch(/^INSERT INTO many VALUES \(14321, /);
    expect(await ask('select count(*) from many')).toEqual([{ count: '15600' }]);
  }, 60_000);

  it('tells the line and column of a mistake, and applies nothing', async () => {
    const sql = "create table half (id int);\r\n-- é😀\r\ninsert into half values (1);\r\n  select '😀', nothing\r\n from half;\r\n";
    const error = await failed(`\uFEFF${sql}`, { filename: '002_half.sql' });
    expect(error).toMatchObject({
      code: 'sql_failed',
      message: '002_half.sql:4: column "nothing" does not exist',
      hint: 'Nothing of 002_half.sql was applied. Correct it and push again.',
      details: {
        problem: 'column "nothing" does not exist',
        advice: 'Correct it and push again.',
        line: 4,
        column: 15,
        sqlState: '42703',
        statement: expect.stringMatching(/^select '😀'/),
      },
    });
    expect(error.details.position).toBe([...sql.slice(0, sql.indexOf('nothing'))].length + 1);
    expect(await isThere('half')).toBe(false);
  });

  it('tells a mistake of grammar before anything runs', async () => {
    const error = await failed('select pg_sleep(60);\nselect 1;\nselekt 2;\nselect 3');
    expect(error).toMatchObject({ code: 'sql_failed', details: { line: 3, column: 1, sqlState: '42601', statement: 'selekt 2' } });
  });

  it('tells a mistake that shows itself only while running', async () => {
    const error = await failed(`create table t (id int primary key);\ninsert into t values (1);\n\ninsert into t\n values (1);\nselect 1`);
    expect(error).toMatchObject({
      message: expect.stringContaining('001_init.sql:4: duplicate key'),
      details: { line: 4, column: 1, sqlState: '23505', detail: 'Key (id)=(1) already exists.' },
    });
    const inside = await failed(`select 1;\ndo $$\nbegin\n perform 1/0;\nend $$;\nselect 2`);
    expect(inside).toMatchObject({ details: { line: 2, sqlState: '22012', context: expect.stringContaining('line 3 at PERFORM') } });
  });

  it('tells a broken promise that is checked at the end, in a dry run too', async () => {
    const sql = `create table a (id int primary key);
      create table b (a int references a deferrable initially deferred);
      insert into b values (1)`;
    for (const dryRun of [false, true]) {
      const error = await failed(sql, { dryRun });
      expect(error).toMatchObject({ code: 'sql_failed', message: expect.stringMatching(/^001_init\.sql:3 at its end: .*violates/) });
    }
    expect(await isThere('a')).toBe(false);
  });

  it('applies a version once, and stops when the file was edited since', async () => {
    const first = pushOf('create table once (id int)', { mode: 'versioned', version: '010', filename: '010_once.sql' });
    expect(await runPush(engine, project, { ...first, dryRun: true })).toMatchObject({ skipped: false, statements: 1 });
    expect(await isThere('once')).toBe(false);
    expect(await listMigrations(engine, project)).toEqual([]);
    expect(await runPush(engine, project, first)).toEqual({ skipped: false, statements: 1, warnings: [] });
    expect(await runPush(engine, project, first)).toMatchObject({ skipped: true, previousChecksum: first.checksum });
    const edited = pushOf('create table once (id bigint)', { mode: 'versioned', version: '010', filename: '010_twice.sql' });
    await expect(runPush(engine, project, edited)).rejects.toMatchObject({
      code: 'migration_conflict',
      message: '010_twice.sql was applied before as 010_once.sql, and has been edited since.',
      details: { version: '010', filename: '010_twice.sql', appliedChecksum: first.checksum, checksum: edited.checksum },
    });
    expect(await listMigrations(engine, project)).toEqual([
      {
        version: '010',
        filename: '010_once.sql',
        checksum: first.checksum,
        appliedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:]{8}\.\d{3}Z$/),
      },
    ]);
  });

  it('leaves no line in the ledger when the file fails', async () => {
    await failed('create table t (id int); select 1/0', { mode: 'versioned', version: '011' });
    expect((await listMigrations(engine, project)).map(({ version }) => version)).not.toContain('011');
  });

  it('runs a repeatable script again when it has changed or when told to', async () => {
    const of = (sql: string, force = false) => pushOf(sql, { mode: 'repeatable', version: 'views', filename: 'views.sql', force });
    const [one, two] = [of('create or replace view w as select 1 as n'), of('create or replace view w as select 2 as n')];
    expect(await runPush(engine, project, one)).toEqual({ skipped: false, statements: 1, warnings: [] });
    expect(await runPush(engine, project, one)).toMatchObject({ skipped: true, previousChecksum: one.checksum });
    expect(await runPush(engine, project, two)).toMatchObject({ skipped: false, previousChecksum: one.checksum });
    expect(await runPush(engine, project, { ...two, force: true })).toMatchObject({ skipped: false, previousChecksum: two.checksum });
    expect(await ask('select n from w')).toEqual([{ n: 2 }]);
    const entries = (await listMigrations(engine, project)).filter(({ version }) => version === 'R:views');
    expect(entries).toMatchObject([{ checksum: two.checksum }]);
  });

  it('never applies a version twice when two push it at once', async () => {
    const push = pushOf('select pg_sleep(0.2); create table raced (id int)', { mode: 'versioned', version: '020' });
    const outcomes = await Promise.all([push, push, push].map((each) => runPush(engine, project, each)));
    expect(outcomes.map(({ skipped }) => skipped).sort()).toEqual([false, true, true]);
    const failing = pushOf('select pg_sleep(0.2), 1/0', { mode: 'versioned', version: '021' });
    const both = await Promise.allSettled([failing, failing].map((each) => runPush(engine, project, each)));
    expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  });

  it.each([
    ['another spelling of its number', '1', '001_a.sql', '0001', '001_a.sql'],
    ['the name of its file, when the number was first', '002', '002_a.sql', '002_a.sql', '002_a.sql'],
    ['its number, when the name of its file was first', '003_a.sql', '003_a.sql', '003', '003_a.sql'],
    ['a version of another kind and the same name', 'b1946ac9', '004_a.sql', '004', '004_a.sql'],
  ])('applies a migration once when it comes again with %s', async (_, version, filename, otherVersion, otherFilename) => {
    const mark = version.replace(/\W/g, '_');
    await runPush(engine, project, pushOf(`create table counted_${mark} (n int); insert into counted_${mark} values (100)`));
    const sql = `update counted_${mark} set n = n * 2`;
    const before = (await listMigrations(engine, project)).length;
    const first = pushOf(sql, { mode: 'versioned', version, filename });
    expect(await runPush(engine, project, first)).toMatchObject({ skipped: false });
    const again = pushOf(sql, { mode: 'versioned', version: otherVersion, filename: otherFilename });
    expect(await runPush(engine, project, again)).toMatchObject({ skipped: true, statements: 0, previousChecksum: first.checksum });
    expect(await runPush(engine, project, { ...again, dryRun: true })).toMatchObject({ skipped: true });
    expect(await ask(`select n from counted_${mark}`)).toEqual([{ n: 200 }]);
    expect(await listMigrations(engine, project)).toHaveLength(before + 1);
  });

  it('stops at a migration that was edited since, also under another spelling of its version', async () => {
    const applied = pushOf('select 1', { mode: 'versioned', version: '050_a.sql', filename: '050_a.sql' });
    await runPush(engine, project, applied);
    const edited = pushOf('create table edited (n int)', { mode: 'versioned', version: '50', filename: '050_a.sql' });
    await expect(runPush(engine, project, edited)).rejects.toMatchObject({
      code: 'migration_conflict',
      message: '050_a.sql was applied before, and has been edited since.',
      details: { version: '50', appliedVersion: '050_a.sql', appliedChecksum: applied.checksum, checksum: edited.checksum },
    });
    expect(await isThere('edited')).toBe(false);
    expect((await listMigrations(engine, project)).map(({ version }) => version)).not.toContain('50');
  });

  it('keeps two names with one number apart, and a script of the same name from a migration', async () => {
    const names = ['060_a.sql', '060_b.sql'];
    for (const version of names)
      expect(
        await runPush(engine, project, pushOf(`select '${version}'`, { mode: 'versioned', version, filename: version })),
      ).toMatchObject({
        skipped: false,
      });
    const script = pushOf('select 70', { mode: 'repeatable', version: 'fn', filename: 'fn.sql' });
    expect(await runPush(engine, project, script)).toMatchObject({ skipped: false });
    expect(await runPush(engine, project, { ...script, mode: 'versioned' })).toMatchObject({ skipped: false });
  });

  it('never applies two spellings of one version when they come at once', async () => {
    await runPush(engine, project, pushOf('create table together (n int); insert into together values (100)'));
    const sql = 'select pg_sleep(0.2); update together set n = n * 2';
    const versions = ['080', '80', '080_a.sql'];
    const outcomes = await Promise.all(
      versions.map((version) => runPush(engine, project, pushOf(sql, { mode: 'versioned', version, filename: '080_a.sql' }))),
    );
    expect(outcomes.map(({ skipped }) => skipped).sort()).toEqual([false, true, true]);
    expect(await ask('select n from together')).toEqual([{ n: 200 }]);
    expect((await listMigrations(engine, project)).filter(({ filename }) => filename === '080_a.sql')).toHaveLength(1);
  });

  it('passes warnings on, and nothing else that the server says', async () => {
    const sql = `do $$ begin raise notice 'a notice'; raise warning 'a warning'; end $$; drop table if exists nothing_there`;
    expect((await runPush(engine, project, pushOf(`begin; ${sql}; commit;`))).warnings).toEqual([
      expect.stringContaining('BEGIN in line 1'),
      'a warning',
    ]);
  });

  it.each([
    ['a COMMIT in a DO block', 'create table c (id int); do $$ begin commit; end $$', '2D000'],
    ['a COMMIT in a procedure', 'create procedure cp() language plpgsql as $$ begin commit; end $$; call cp()', '2D000'],
    ['what the server refuses in a transaction', 'create table c (id int); reindex (concurrently) table c', '25001'],
  ])('refuses %s', async (_, sql, sqlState) => {
    expect(await failed(sql)).toMatchObject({ code: 'sql_not_allowed', details: { sqlState } });
    expect(await isThere('c')).toBe(false);
  });

  it('is not misled by settings that change how text is read', async () => {
    const rest = 'select 1;'.repeat(5000);
    for (const setting of ['set standard_conforming_strings = off', `set client_encoding = 'LATIN1'`])
      expect(await failed(`create table c (id int); ${setting}; ${rest}`)).toMatchObject({ code: 'sql_not_allowed' });
    expect(await failed(`set standard_conforming_strings = off; select '\\'; commit; --'`)).toMatchObject({ code: 'sql_not_allowed' });
    expect(await isThere('c')).toBe(false);
  });

  it('survives a file that changes its role, its path or its settings', async () => {
    const sql = `set search_path = ''; set lock_timeout = 1; set statement_timeout = '1h'; select set_config('search_path', '', false)`;
    expect(await runPush(engine, project, pushOf(sql, { mode: 'versioned', version: '030' }))).toMatchObject({ statements: 4 });
    expect(await runPush(engine, project, pushOf('select * from once'))).toMatchObject({ statements: 1 });
  });

  it('takes an empty file, and one with nothing but comments', async () => {
    expect(await runPush(engine, project, pushOf(''))).toEqual({ skipped: false, statements: 0, warnings: [] });
    expect(await runPush(engine, project, pushOf('-- nothing yet', { mode: 'versioned', version: '040' }))).toMatchObject({
      statements: 0,
    });
  });

  it('stops when it is told to, and the server stops too', async () => {
    const stop = new AbortController();
    const push = runPush(engine, project, pushOf('create table late (id int); select pg_sleep(60)', { signal: stop.signal }));
    setTimeout(() => stop.abort(new Error('enough')), 300);
    await expect(push).rejects.toMatchObject({
      code: 'interrupted',
      hint: expect.stringContaining('Nothing of 001_init.sql was applied.'),
    });
    const running = `select from pg_stat_activity where query like '%pg_sleep(60)%' and pid <> pg_backend_pid()`;
    const id = kind === 'v2_shared' ? 'shared' : `p-${project.id.replaceAll('-', '').slice(0, 12)}`;
    await using admin = await connectPostgres(place.runtime.superuser(id), { searchPath: 'role' });
    for (const deadline = Date.now() + 10_000; (await admin.query(running)).length > 0; await delay(100))
      expect(Date.now()).toBeLessThan(deadline);
    expect(await isThere('late')).toBe(false);
  }, 20_000);

  it('says that nothing was applied when its session is ended', async () => {
    const push = failed('create table late (id int);\nselect pg_sleep(60)');
    const id = kind === 'v2_shared' ? 'shared' : `p-${project.id.replaceAll('-', '').slice(0, 12)}`;
    await using admin = await connectPostgres(place.runtime.superuser(id), { searchPath: 'role' });
    const end = `select pg_terminate_backend(pid) from pg_stat_activity where query like '%pg_sleep(60)%' and pid <> pg_backend_pid()`;
    while ((await admin.query(end)).length === 0) await delay(20);
    expect(await push).toMatchObject({ code: 'instance_unavailable', hint: expect.stringContaining('Nothing of') });
    expect(await isThere('late')).toBe(false);
  });

  it('needs version and checksum for a migration', async () => {
    const { checksum: _, ...without } = pushOf('select 1', { mode: 'versioned', version: '1' });
    await expect(runPush(engine, project, without)).rejects.toMatchObject({ code: 'invalid_request' });
  });
});
