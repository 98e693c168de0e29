import { expect } from 'vitest';
import { startFluxWithCatalog } from '../harness/outside-catalog.ts';
import { holdLock } from '../harness/pg-lock.ts';
import { pause, until } from '../harness/process.ts';
import { siegeChapter } from './attack.ts';

const attack = siegeChapter('A catalog whose tables somebody has locked');

/** A lock is waited for 10 s, and before that for 10 s for a session. */
const ANSWER_MS = 21_000;

attack(
  'A session of somebody else locks the tables of projects, operations and tokens for 25 s, while backups run',
  `each request is answered within ${ANSWER_MS / 1000} s, with 503 and Retry-After; then work goes on, nothing has failed, and the lease was kept`,
  async () => {
    await using place = await startFluxWithCatalog();
    const { flux } = place;
    const shop = await flux.createProject('shop', 'v2_shared');
    await flux.push(shop, 'create table t (id int); insert into t select generate_series(1, 1000);');
    const lease = `select pid from pg_locks where locktype = 'advisory' and classid = ${0x466c7578} and objsubid = 2`;
    const before = [flux.pid(), await place.query(lease)];
    // They are at every stage when the lock is taken.
    const asked = await Promise.all(Array.from({ length: 5 }, (_, i) => flux.createProject(`p${i}`, 'v2_shared')));
    const created = asked.map(({ flags }) => flux.flux('backup', 'create', ...flags, '--verify'));
    await until(
      'all are asked for',
      async () => (await place.query(`select count(*) from operations where kind = 'backup_create'`)) === '5',
      60_000,
    );
    const lock = await holdLock(place.url, 'lock table operations, projects, tokens in access exclusive mode');
    const ended = pause(25_000).then(() => lock.release());
    const answers = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const since = performance.now();
        const answer = await flux.api('/list', { signal: AbortSignal.timeout(90_000) });
        return {
          status: answer.status,
          retryAfter: answer.headers.get('retry-after'),
          text: await answer.text(),
          ms: performance.now() - since,
        };
      }),
    );
    expect((await fetch(`${flux.url}/healthz`)).status).toBe(200);
    await ended;
    expect([...new Set(answers.map(({ status, retryAfter }) => `${status} ${retryAfter}`))]).toEqual(['503 5']);
    expect(answers[0]?.text).toContain('The catalog database does not answer');
    const slowest = Math.max(...answers.map(({ ms }) => ms));
    expect(slowest).toBeLessThan(ANSWER_MS);
    await until('it answers', async () => (await flux.api('/list')).status === 200, 5000);

    const clients = await Promise.all(created);
    // A verification that was to begin meanwhile may have been refused.
    for (const { exitCode, stderr } of clients) if (exitCode !== 0) expect(stderr).toContain('The catalog database does not answer');
    const count = await place.query(`select count(*) from operations where kind like 'backup%' and state = 'succeeded'`);
    await until(
      'all work has ended',
      async () => (await place.query(`select count(*) from operations where finished_at is null`)) === '0',
      60_000,
    );
    expect(await place.query(`select kind, error from operations where state <> 'succeeded'`)).toBe('');
    expect([flux.pid(), await place.query(lease)]).toEqual(before);
    const verified = await flux.flux('backup', 'create', ...shop.flags, '--verify');
    expect(verified.exitCode, verified.stderr).toBe(0);
    expect(await flux.stop()).toBe(0);
    return `${answers.length} requests answered 503, the slowest after ${(slowest / 1000).toFixed(1)} s; ${count} backups and verifications succeeded all the same`;
  },
  180_000,
);
