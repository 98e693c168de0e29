import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { backUp } from './harness/backups.ts';
import type { TestProject } from './harness/flux.ts';
import { type FluxWithCatalog, startFluxWithCatalog } from './harness/outside-catalog.ts';
import { until } from './harness/process.ts';

/** Within this time nothing of a lost answer may be left. */
const WITHIN_MS = 30_000;

describe('an operation that the catalog records as running, without the control plane hearing of it', () => {
  let place: FluxWithCatalog;
  let shop: TestProject;
  beforeAll(async () => {
    place = await startFluxWithCatalog();
    shop = await place.flux.createProject('shop', 'v2_shared');
    await place.query(
      `create function slow_commit() returns trigger language plpgsql as $$ begin perform pg_sleep(3); return null; end $$`,
    );
  }, 120_000);
  afterEach(() => place.query('drop trigger slow_commit on operations'));
  afterAll(() => place?.[Symbol.asyncDispose]());

  /** Commits that write an operation in this way take three seconds; they are done whether or not anybody waits for them. */
  const slowCommit = (event: 'insert' | 'update', when: string) =>
    place.query(`create constraint trigger slow_commit after ${event} on operations deferrable initially deferred
      for each row when (${when}) execute function slow_commit()`);
  /** Cuts the client of the commit, which the server completes. @returns when that was */
  const cutCommit = async (): Promise<number> => {
    let port = '';
    await until('the commit has begun', async () => {
      port = await place.query(`select client_port from pg_stat_activity where wait_event = 'PgSleep'`);
      return port !== '';
    });
    place.relay.cut(Number(port));
    return Date.now();
  };

  it('is queued again when it can be: a backup that was claimed', async () => {
    await slowCommit('update', `new.state = 'running' and old.state = 'queued' and new.attempts = 1`);
    const backup = backUp(place.flux, shop);
    const cutAt = await cutCommit();
    await backup;
    expect(Date.now() - cutAt).toBeLessThan(WITHIN_MS);
    expect(await place.query(`select string_agg(state || ' ' || attempts, ', ') from operations where kind = 'backup_create'`)).toBe(
      'succeeded 2',
    );
    await backUp(place.flux, shop);
  });

  it('ends when it cannot: a push that was recorded', async () => {
    await slowCommit('insert', `new.kind = 'push'`);
    const pushing = place.flux.push(shop, 'create table never (id int)').then(
      () => '',
      (error: Error) => error.message,
    );
    const cutAt = await cutCommit();
    expect(await pushing).not.toBe('');
    await until(
      'the push has ended',
      async () => (await place.query(`select string_agg(state, ', ') from operations where kind = 'push'`)) === 'failed',
      WITHIN_MS,
    );
    expect(await place.query(`select error->>'code' from operations where kind = 'push'`)).toBe('interrupted');
    await place.flux.push(shop, 'create table after_all (id int)');
    expect(Date.now() - cutAt).toBeLessThan(WITHIN_MS + 10_000);
  });
});
