import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { backUp } from './harness/backups.ts';
import { type Flux, startFlux, type TestProject } from './harness/flux.ts';
import { lockTable } from './harness/pg-lock.ts';
import { psql, startThrowAwayCluster, type ThrowAwayCluster } from './harness/postgres.ts';
import { until } from './harness/process.ts';

const DATA = `create table readings (id bigint primary key, a text not null);
  insert into readings select i, md5(i::text) from generate_series(1, 20000) i;`;

let cluster: ThrowAwayCluster;
let first: Flux;
let second: Flux;

// Two servers that share catalog, pooled cluster and backup volume; the second has been given the secrets of the first.
beforeAll(async () => {
  cluster = await startThrowAwayCluster();
  await psql(cluster.uri('postgres'), 'create database catalog');
  const shared = {
    FLUX_CATALOG_URL: cluster.uri('catalog'),
    FLUX_SHARED_POSTGRES_URL: cluster.uri('postgres'),
    FLUX_VERIFY_STANDBY: 'off',
    FLUX_CONCURRENCY: '1',
  };
  first = await startFlux({ env: shared });
  const volume = join(first.dataFolder, 'backups');
  second = await startFlux({
    env: { ...shared, FLUX_BACKUPS_LOCAL_DIR: volume },
    prepare: (folder) => {
      mkdirSync(join(folder, 'data'), { mode: 0o711 });
      for (const name of ['secret.key', 'admin-token']) copyFileSync(join(first.dataFolder, name), join(folder, 'data', name));
    },
  });
}, 120_000);
afterAll(async () => {
  await second?.[Symbol.asyncDispose]();
  await first?.[Symbol.asyncDispose]();
  await cluster?.[Symbol.asyncDispose]();
});

const query = async (sql: string) => (await psql(cluster.uri('catalog'), sql)).trim();
const prepare = async (slug: string) => {
  const project = await first.createProject(slug, 'v2_shared');
  await first.push(project, DATA);
  await backUp(first, project);
  return project;
};
/** The schema of a project and its database, as the superuser reaches them. */
const lockReadings = async (project: TestProject) => {
  const schema = (await psql(project.uri, `select relnamespace::regnamespace from pg_class where oid = 'readings'::regclass`)).trim();
  return await lockTable(cluster.uri(new URL(project.uri).pathname.slice(1)), `${schema}.readings`);
};
it('takes over what a killed server ran, and lets a living one go on', async () => {
  const projects = await Promise.all(['one', 'two'].map(prepare));
  const locks = await Promise.all(projects.map(lockReadings));
  // Each server has one quick slot, so each of the two creates begins on one of them.
  const followed = projects.map((project) => second.flux('backup', 'create', ...project.flags));
  const running = `select count(distinct worker_id) from operations where kind = 'backup_create' and state = 'running'`;
  await until('both run', async () => (await query(running)) === '2', 60_000);
  const workers = `select string_agg(worker_id::text, ' ' order by id) from operations where state = 'running'`;
  const dead = await query(`select id from workers where pid = ${first.pid()}`);

  await first.kill();
  await first.start();
  await until(
    'the create of the dead worker runs under another one',
    async () => {
      const now = (await query(workers)).split(' ');
      return now.length === 2 && !now.includes(dead);
    },
    60_000,
  );
  for (const lock of locks) await lock.release();

  for (const ended of await Promise.all(followed)) expect(ended.exitCode, ended.stderr).toBe(0);
  expect(await query(`select count(*) from operations where state in ('queued', 'running') or state = 'failed'`)).toBe('0');
  for (const project of projects) {
    const proven = await first.flux('backup', 'verify', '--latest', ...project.flags);
    expect(proven.exitCode, proven.stderr).toBe(0);
  }
});

it('has a verification come to its end on the other server', async () => {
  const project = await prepare('three');
  const followed = second.flux('backup', 'verify', '--latest', ...project.flags);
  await until(
    'it runs',
    async () => (await query(`select count(*) from operations where kind = 'backup_verify' and state = 'running'`)) === '1',
  );
  await first.kill();

  const ended = await followed;
  expect(ended.exitCode, ended.stderr).toBe(0);
  expect(await query(`select state from operations where kind = 'backup_verify' order by id desc limit 1`)).toBe('succeeded');
  expect((await second.flux('backup', 'create', ...project.flags, '--verify')).exitCode).toBe(0);
  await first.start();
});

it('creates a project whole or not at all when another server takes its creator for dead', async () => {
  const pool = new URL(await first.createProject('neighbour', 'v2_shared').then(({ uri }) => uri)).pathname.slice(1);
  const lateSchemas = () => psql(cluster.uri(pool), `select count(*) from pg_namespace where nspname ~ '^t_[0-9a-f]{12}_api$'`);
  const before = await lateSchemas();
  const turn = await lockTable(cluster.uri(pool), 'flux.turn');
  const creating = first.flux('create', 'late', '--mode', 'v2_shared');
  const rows = (where = 'true') => query(`select count(*) from projects where slug = 'late' and ${where}`);
  await until('its creation has begun', async () => (await rows(`lifecycle = 'creating'`)) === '1');
  // The session whose lock says that the first server lives.
  await query(`select pg_terminate_backend(l.pid) from pg_locks l join workers w on l.objid = w.lock_key::bigint
    where l.locktype = 'advisory' and w.id = (select worker_id from projects where slug = 'late')`);
  await second.kill();
  await second.start();
  await new Promise((resolve) => setTimeout(resolve, 3000));
  await turn.release();
  const { exitCode, stderr } = await creating;
  const isThere = (await rows(`lifecycle = 'active'`)) === '1';
  expect(exitCode === 0, stderr).toBe(isThere);
  await until('nothing is half there', async () => (await rows(`lifecycle <> 'active'`)) === '0', 60_000);
  expect(Number(await lateSchemas()) - Number(before)).toBe(isThere ? 1 : 0);
});
