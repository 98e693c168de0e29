import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { type Flux, startFlux } from '../harness/flux.ts';
import { startFluxWithCatalog } from '../harness/outside-catalog.ts';
import { type HeldLock, holdLock } from '../harness/pg-lock.ts';
import { psql } from '../harness/postgres.ts';
import { postmasterPid } from '../harness/postmaster.ts';
import { until } from '../harness/process.ts';
import { catalogUri } from '../harness/superuser.ts';
import { siegeChapter } from './attack.ts';

const attack = siegeChapter('Catalog');
/** `npm run test:siege` sets 60,000. */
const AWAY_MS = Number(process.env.FLUX_TEST_AWAY_MS ?? 15_000);

const catalogPid = (flux: Flux) => postmasterPid(join(flux.dataFolder, 'instances/catalog/data'));
const catalogQuery = async (flux: Flux, sql: string) => (await psql(catalogUri(flux), sql)).trim();
const openFiles = (flux: Flux) => readdirSync(`/proc/${flux.pid()}/fd`).length;
const ready = async (flux: Flux) => {
  const answer = await fetch(`${flux.url}/readyz`);
  return { status: answer.status, body: (await answer.json()) as { ok: boolean; problem?: string } };
};

attack(
  'The catalog is killed, and what its supervisor starts as well',
  'only 503 with Retry-After; then work goes on, within 40 descriptors and 400 lines of log',
  async () => {
    await using flux = await startFlux();
    const shop = await flux.createProject('shop', 'v2_shared');
    await flux.push(shop, 'create table t (id int); insert into t values (1), (2);');
    const before = openFiles(flux);
    const logged = flux.log().length;

    // The catalog stays away for some seconds: what its supervisor starts is killed again, once.
    const statuses = new Set<number>();
    const retryAfter = new Set<string | null>();
    const killed = new Set<number>();
    for (const end = Date.now() + 5000; Date.now() < end; ) {
      try {
        const pid = catalogPid(flux);
        if (pid > 0 && killed.size < 2 && !killed.has(pid)) process.kill(pid, 'SIGKILL');
        if (pid > 0) killed.add(pid);
      } catch {
        // It has not been started again yet.
      }
      const answer = await flux.api('/list');
      await answer.text();
      if (answer.status !== 200) {
        statuses.add(answer.status);
        retryAfter.add(answer.headers.get('retry-after'));
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect([...statuses]).toEqual([503]);
    expect([...retryAfter]).toEqual(['5']);

    await until('it is ready again', async () => (await ready(flux)).status === 200, 60_000);
    const verified = await flux.flux('backup', 'create', ...shop.flags, '--verify');
    expect(verified.exitCode, verified.stderr).toBe(0);
    const more = openFiles(flux) - before;
    const lines = flux.log().slice(logged).split('\n').length;
    expect(more).toBeLessThan(40);
    expect(lines).toBeLessThan(400);
    expect(await flux.stop()).toBe(0);
    return `${more} more descriptors, ${lines} lines of log, a backup verified afterwards`;
  },
);

attack('The session of the lease is ended', 'what ran under it ends, a new lease is taken, no restart', async () => {
  await using flux = await startFlux();
  const shop = await flux.createProject('shop', 'v2_shared');
  await flux.push(shop, 'create table t (id int); insert into t select generate_series(1, 1000);');
  expect(await ready(flux)).toEqual({ status: 200, body: { ok: true } });
  const loseLease = () =>
    catalogQuery(
      flux,
      `select pg_terminate_backend(pid, 5000) from pg_locks where locktype = 'advisory' and classid = ${0x466c7578} and objsubid = 2`,
    );

  // A push that waits in the database stands under the lease that is lost: it must end, and not block the project.
  const sleeping = flux.api('/push', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ slug: shop.slug, hash: shop.hash, sql: 'insert into t values (0); select pg_sleep(60);' }),
  });
  await until('the push runs', async () => (await catalogQuery(flux, `select count(*) from operations where state = 'running'`)) === '1');
  await loseLease();
  expect((await sleeping).status).toBeGreaterThanOrEqual(500);

  await until('it is ready again', async () => (await ready(flux)).status === 200, 30_000);
  const verified = await flux.flux('backup', 'create', ...shop.flags, '--verify');
  expect(verified.exitCode, verified.stderr).toBe(0);
  const list = await flux.flux('backup', 'list', ...shop.flags);
  expect(list.stdout).toContain('Verification:             Restore-verified\n');
  expect(await catalogQuery(flux, `select count(*) from operations where state in ('queued', 'running')`)).toBe('0');

  // The same when the lease goes while nothing runs.
  await loseLease();
  expect((await flux.flux('backup', 'create', ...shop.flags, '--verify')).exitCode).toBe(0);
  expect(await flux.stop()).toBe(0);
  return 'once under a push and once idle: the next backup is verified';
});

attack(
  `The catalog is away for ${AWAY_MS / 1000} s`,
  '503 with Retry-After meanwhile; all is well within 5 s of its return, in the same process',
  async () => {
    await using place = await startFluxWithCatalog();
    const { flux, cluster } = place;
    const shop = await flux.createProject('shop', 'v2_shared');
    await flux.push(shop, 'create table t (id int);');
    const [pid, files, logged] = [flux.pid(), openFiles(flux), flux.log().length];
    await cluster.stop();
    const endsAt = Date.now() + AWAY_MS;
    let refused = 0;
    while (Date.now() < endsAt) {
      const answer = await flux.api('/list');
      expect(answer.status).toBe(503);
      expect(answer.headers.get('retry-after')).not.toBeNull();
      expect((await fetch(`${flux.url}/healthz`)).status).toBe(200);
      refused += 1;
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
    const most = openFiles(flux);
    await cluster.start();
    const backAt = performance.now();
    await until('it is ready again', async () => (await ready(flux)).status === 200, 5000);
    const took = Math.round(performance.now() - backAt);
    const verified = await flux.flux('backup', 'create', ...shop.flags, '--verify');
    expect(verified.exitCode, verified.stderr).toBe(0);
    expect(flux.pid()).toBe(pid);
    expect(most - files).toBeLessThan(20);
    const lines = flux.log().slice(logged).split('\n').length;
    expect(lines).toBeLessThan(400);
    expect(await flux.stop()).toBe(0);
    return `${refused} requests answered 503; ready ${took} ms after its return; ${most - files} more descriptors, ${lines} lines of log`;
  },
);

attack('The catalog has no connection left', '503 or an answer, never a hang; all is well when there are some again', async () => {
  await using place = await startFluxWithCatalog({ max_connections: '30' });
  const { flux } = place;
  const takers: HeldLock[] = [];
  const takeAll = async () => {
    for (;;) {
      const taken = await holdLock(place.url, 'select 1').catch(() => undefined);
      if (taken === undefined) return;
      takers.push(taken);
    }
  };
  await takeAll();
  // Connections that Flux had must not be enough: they are ended, and taken.
  await psql(place.url, `select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'flux%'`).catch(() => '');
  await takeAll();
  let slowest = 0;
  const statuses = new Set<number>();
  for (let i = 0; i < 10; i++) {
    const since = performance.now();
    statuses.add((await flux.api('/list')).status);
    slowest = Math.max(slowest, performance.now() - since);
  }
  for (const taker of takers) await taker.release();
  expect([...statuses].every((status) => status === 503 || status === 200)).toBe(true);
  expect(slowest).toBeLessThan(12_000);
  await until('it is ready again', async () => (await ready(flux)).status === 200, 20_000);
  expect((await flux.api('/list')).status).toBe(200);
  expect(await flux.stop()).toBe(0);
  return `${takers.length} connections taken; answers ${[...statuses].join(' and ')}, the slowest after ${Math.round(slowest)} ms`;
});

attack('Every NOTIFY is lost', 'work begins and ends, only later', async () => {
  await using flux = await startFlux();
  const shop = await flux.createProject('shop', 'v2_shared');
  await flux.push(shop, 'create table t (id int);');
  // The connection that listens hears nothing any more, and does not know it.
  const listeners = `select pid from pg_stat_activity where application_name = 'flux-catalog' and query ~* '^listen'`;
  const pids = (await catalogQuery(flux, listeners)).split('\n').filter((line) => line !== '');
  expect(pids.length).toBe(1);
  process.kill(Number(pids[0]), 'SIGSTOP');
  try {
    const since = performance.now();
    const verified = await flux.flux('backup', 'create', ...shop.flags, '--verify');
    expect(verified.exitCode, verified.stderr).toBe(0);
    return `backup create --verify took ${((performance.now() - since) / 1000).toFixed(1)} s`;
  } finally {
    process.kill(Number(pids[0]), 'SIGCONT');
  }
});
