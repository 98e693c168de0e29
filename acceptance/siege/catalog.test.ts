import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { type Flux, startFlux } from '../harness/flux.ts';
import { psql } from '../harness/postgres.ts';
import { postmasterPid } from '../harness/postmaster.ts';
import { until } from '../harness/process.ts';
import { catalogUri } from '../harness/superuser.ts';
import { siegeChapter } from './attack.ts';

const attack = siegeChapter('Catalog');

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
