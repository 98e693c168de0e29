import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { type Flux, startFlux } from '../harness/flux.ts';
import { startFluxWithCatalog } from '../harness/outside-catalog.ts';
import { openSession } from '../harness/pg-session.ts';
import { psql } from '../harness/postgres.ts';
import { hostPid, postmasterPid } from '../harness/postmaster.ts';
import { pause, until } from '../harness/process.ts';
import { catalogUri } from '../harness/superuser.ts';
import { siegeChapter } from './attack.ts';

const attack = siegeChapter('Catalog');
/** `npm run test:siege` sets 60,000. */
const AWAY_MS = Number(process.env.FLUX_TEST_AWAY_MS ?? 15_000);

const catalogFolder = (flux: Flux) => join(flux.dataFolder, 'instances/catalog/data');
const catalogPid = (flux: Flux) => postmasterPid(catalogFolder(flux));
const catalogQuery = async (flux: Flux, sql: string) => (await psql(catalogUri(flux), sql)).trim();
const openFiles = (flux: Flux) => readdirSync(`/proc/${flux.pid()}/fd`).length;
const rounded = (times: readonly number[]) => times.map(Math.round).join(', ');
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

for (const mode of ['fast', 'immediate'] as const)
  attack(
    `The catalog is restarted (pg_ctl restart -m ${mode}), three times`,
    'an answer or 503 with Retry-After meanwhile; ready within 5 s, in the same process; less than 20 descriptors and 200 lines of log',
    async () => {
      await using place = await startFluxWithCatalog();
      const { flux, cluster } = place;
      const shop = await flux.createProject('shop', 'v2_shared');
      await flux.push(shop, 'create table t (id int);');
      const [pid, files, logged] = [flux.pid(), openFiles(flux), flux.log().length];
      const statuses: number[] = [];
      let isOver = false;
      const asking = (async () => {
        while (!isOver) {
          const answer = await flux.api('/list', { signal: AbortSignal.timeout(30_000) });
          await answer.text();
          statuses.push(answer.status);
          if (answer.status !== 200) expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '5']);
          await pause(10);
        }
      })();
      const away: number[] = [];
      const back: number[] = [];
      for (let i = 0; i < 3; i++) {
        const since = performance.now();
        await cluster.restart(mode);
        const restarted = performance.now();
        await until('it is ready again', async () => (await ready(flux)).status === 200, 5000);
        away.push(restarted - since);
        back.push(performance.now() - restarted);
        expect((await flux.api('/list')).status).toBe(200);
      }
      isOver = true;
      await asking;
      const verified = await flux.flux('backup', 'create', ...shop.flags, '--verify');
      expect(verified.exitCode, verified.stderr).toBe(0);
      expect(flux.pid()).toBe(pid);
      const more = openFiles(flux) - files;
      expect(more).toBeLessThan(20);
      const lines = flux.log().slice(logged).split('\n').length;
      expect(lines).toBeLessThan(200);
      expect(await flux.stop()).toBe(0);
      const refused = statuses.filter((status) => status === 503).length;
      return `away for ${rounded(away)} ms; ${refused} of ${statuses.length} requests answered 503; ready ${rounded(back)} ms after its return; ${more} more descriptors, ${lines} lines of log`;
    },
    120_000,
  );

attack(
  'The catalog has no connection left',
  'each request is answered 503 with Retry-After within 12 s; ready within 5 s of there being some again',
  async () => {
    await using place = await startFluxWithCatalog({ max_connections: '30' });
    const { flux } = place;
    await using takers = new AsyncDisposableStack();
    // First: when all are taken, an administrator gets none either.
    await using admin = await openSession(place.url);
    const take = async () => {
      const session = await openSession(place.url).catch((error: { code?: string }) => {
        expect(error.code).toBe('53300');
        return undefined;
      });
      if (session !== undefined) takers.use(session);
      return session !== undefined;
    };
    let taken = 0;
    /** Several at once: Flux opens again what is ended, unless its place is taken first. */
    const takeAll = async () => {
      for (let won = 1; won > 0; taken += won) won = (await Promise.all(Array.from({ length: 8 }, take))).filter(Boolean).length;
    };
    await takeAll();
    const ours = `from pg_stat_activity where application_name like 'flux%'`;
    await until('Flux has no connection', async () => {
      await admin.query(`select pg_terminate_backend(pid) ${ours}`);
      await takeAll();
      return (await admin.query(`select count(*)::int ${ours}`))[0] === 0;
    });
    let slowest = 0;
    for (let i = 0; i < 10; i++) {
      const since = performance.now();
      const answer = await flux.api('/list');
      expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '5']);
      slowest = Math.max(slowest, performance.now() - since);
    }
    expect((await ready(flux)).status).toBe(503);
    expect(slowest).toBeLessThan(12_000);
    await takers.disposeAsync();
    const since = performance.now();
    await until('it is ready again', async () => (await ready(flux)).status === 200, 5000);
    const took = Math.round(performance.now() - since);
    expect((await flux.api('/list')).status).toBe(200);
    expect(await flux.stop()).toBe(0);
    return `${taken} connections taken; 10 requests answered 503, the slowest after ${Math.round(slowest)} ms; ready ${took} ms after they were free`;
  },
);

attack('Every NOTIFY is lost', 'work begins and ends, only later: a backup is created and verified within 10 s', async () => {
  await using flux = await startFlux();
  const shop = await flux.createProject('shop', 'v2_shared');
  await flux.push(shop, 'create table t (id int);');
  // The connection that listens hears nothing any more, and does not know it.
  const listeners = `select pid from pg_stat_activity where application_name = 'flux-catalog' and query ~* '^listen'`;
  const pids = (await catalogQuery(flux, listeners)).split('\n').filter((line) => line !== '');
  expect(pids).toHaveLength(1);
  const listener = hostPid(catalogFolder(flux), pids[0] ?? '');
  expect(listener).toBeGreaterThan(0);
  const asked = Number(await catalogQuery(flux, 'select count(*) from operations'));
  process.kill(listener, 'SIGSTOP');
  try {
    const took: number[] = [];
    for (let i = 0; i < 5; i++) {
      const since = performance.now();
      const verified = await flux.flux('backup', 'create', ...shop.flags, '--verify');
      expect(verified.exitCode, verified.stderr).toBe(0);
      took.push(performance.now() - since);
    }
    expect(Math.max(...took)).toBeLessThan(10_000);
    // The workers look every two seconds: of ten operations, none would hardly have had to wait for that.
    const waits = `select round(1000 * extract(epoch from started_at - created_at)) from operations order by created_at offset ${asked}`;
    const waited = (await catalogQuery(flux, waits)).split('\n').map(Number);
    expect(waited).toHaveLength(10);
    expect(Math.max(...waited)).toBeGreaterThan(300);
    return `operations began after ${Math.min(...waited)} to ${Math.max(...waited)} ms; backup create --verify took ${(Math.max(...took) / 1000).toFixed(1)} s at most`;
  } finally {
    process.kill(listener, 'SIGCONT');
  }
});
