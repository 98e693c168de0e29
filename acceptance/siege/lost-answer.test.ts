import { afterAll, beforeAll, expect } from 'vitest';
import { backUp } from '../harness/backups.ts';
import type { Flux, TestProject } from '../harness/flux.ts';
import { type FluxWithCatalog, startFluxWithCatalog } from '../harness/outside-catalog.ts';
import { psql } from '../harness/postgres.ts';
import { until } from '../harness/process.ts';
import { siegeChapter } from './attack.ts';

const attack = siegeChapter('A commit whose answer nobody hears');

let place: FluxWithCatalog;
let flux: Flux;
beforeAll(async () => {
  place = await startFluxWithCatalog();
  flux = place.flux;
}, 120_000);
afterAll(() => place?.[Symbol.asyncDispose]());

/** Commits of the catalog that change a project in this way take three seconds; it is done whether or not anybody waits for it. */
const slowCommit = (when: string) =>
  place.query(`create or replace function slow_commit() returns trigger language plpgsql as $$ begin perform pg_sleep(3); return null; end $$;
    drop trigger if exists slow_commit on projects;
    create constraint trigger slow_commit after update on projects deferrable initially deferred for each row when (${when})
      execute function slow_commit()`);
const FLIP = `new.engine <> old.engine`;
const REMOVAL = `new.lifecycle = 'removing'`;
const CREATION = `new.lifecycle = 'active' and old.lifecycle = 'creating'`;

/** @returns the port that the client of the commit has */
const committing = async (): Promise<number> => {
  let port = '';
  await until(
    'the commit has begun',
    async () => {
      port = await place.query(`select client_port from pg_stat_activity where wait_event = 'PgSleep' and query ~* '^commit'`);
      return port !== '';
    },
    60_000,
  );
  return Number(port);
};
const cutCommit = async () => place.relay.cut(await committing());
const projectIs = (slug: string, what: string) =>
  until(
    `${slug} is ${what}`,
    async () => (await place.query(`select engine || ' ' || lifecycle from projects where slug = '${slug}'`)) === what,
  );
const uriOf = async ({ slug, hash }: TestProject) =>
  (await flux.flux('project', 'credentials', slug, '--hash', hash, '--field', 'postgres.url')).stdout.trim();
const restart = async () => {
  expect(await flux.stop()).toBe(0);
  await flux.start();
};

async function pooledShop(slug: string): Promise<TestProject> {
  const shop = await flux.createProject(slug, 'v2_shared');
  await flux.push(shop, 'create table orders (id int); insert into orders select generate_series(1, 100);');
  return shop;
}
/** What is written after a move must be there for good: in its own server, whatever starts in between. */
async function lastingMove(shop: TestProject): Promise<void> {
  await flux.push(shop, 'insert into orders values (101);');
  await restart();
  expect(await psql(await uriOf(shop), `select count(*), current_setting('max_connections') from orders`)).toMatch(/^101\|/);
  expect(await place.query(`select engine from projects where hash = '${shop.hash}'`)).toBe('v1_dedicated');
}

attack(
  'The control plane is killed while a move commits',
  'the next start goes on, with the data of the new server',
  async () => {
    const shop = await pooledShop('killed');
    await slowCommit(FLIP);
    const moving = flux.flux('migrate', ...shop.flags, '--to', 'v1_dedicated', '--yes');
    await committing();
    await flux.kill();
    await moving;
    await projectIs('killed', 'v1_dedicated active');
    await flux.start();
    await lastingMove(shop);
    const dropped = await flux.flux('migrate', ...shop.flags, '--to', 'v1_dedicated', '--drop-source-after', '--yes', '--force');
    return `started; all 101 rows in the new server; removing the old schema ended with ${dropped.exitCode}`;
  },
  180_000,
);

attack(
  'The control plane is killed just before a move commits',
  'the project stays in the pool, writable, with its data',
  async () => {
    const shop = await pooledShop('undone');
    await slowCommit(FLIP);
    const moving = flux.flux('migrate', ...shop.flags, '--to', 'v1_dedicated', '--yes');
    await committing();
    await flux.kill();
    await place.query(`select pg_terminate_backend(pid) from pg_stat_activity where wait_event = 'PgSleep'`);
    await moving;
    await flux.start();
    await projectIs('undone', 'v2_shared active');
    await flux.push(shop, 'insert into orders values (101);');
    await restart();
    expect(await psql(await uriOf(shop), 'select count(*) from orders')).toBe('101\n');
    // An old catalog must not have it removed: it says again that it is live.
    await place.query(`update projects set lifecycle = 'creating' where slug = 'undone'`);
    expect(await flux.stop()).toBe(0);
    expect(await place.refusal()).toContain('undone');
    await place.query(`update projects set lifecycle = 'active' where slug = 'undone'`);
    await flux.start();
    return 'started; all 101 rows in the pool, which says again that they are live';
  },
  180_000,
);

attack(
  'The answer to the commit of a move is lost',
  'the move is recorded as done, and the data is that of the new server',
  async () => {
    const shop = await pooledShop('moved');
    await slowCommit(FLIP);
    const moving = flux.flux('migrate', ...shop.flags, '--to', 'v1_dedicated', '--yes');
    await cutCommit();
    const moved = await moving;
    expect(moved.exitCode, moved.stderr).toBe(0);
    await lastingMove(shop);
    return 'exit code 0; all 101 rows in the new server after a restart';
  },
  180_000,
);

attack(
  'The answer to the commit of a removal is lost',
  'the same command completes it, and the next start is not refused',
  async () => {
    const shop = await pooledShop('gone');
    await backUp(flux, shop, '--verify');
    await slowCommit(REMOVAL);
    const removing = flux.flux('nuke', ...shop.flags, '--yes');
    await cutCommit();
    const first = await removing;
    await projectIs('gone', 'v2_shared removing');
    await place.query('drop trigger slow_commit on projects');
    await restart();
    await projectIs('gone', 'v2_shared removed');
    return `the first command ended with ${first.exitCode}; the removal was completed by the next start`;
  },
  180_000,
);

attack(
  'The answer to the commit of a creation is lost',
  'the project is not removed, and can be used',
  async () => {
    await slowCommit(CREATION);
    const creating = flux.flux('create', 'born', '--mode', 'v2_shared');
    await cutCommit();
    const first = await creating;
    await projectIs('born', 'v2_shared active');
    const hash = await place.query(`select hash from projects where slug = 'born'`);
    const born: TestProject = { slug: 'born', hash, uri: '', flags: ['--project', 'born', '--hash', hash] };
    await flux.push(born, 'create table t (id int)');
    expect(await psql(await uriOf(born), 'select count(*) from t')).toBe('0\n');
    return `the command ended with ${first.exitCode}; the project is there and takes a push`;
  },
  180_000,
);
