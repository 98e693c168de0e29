import { DatabaseError } from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { commitSwap } from '../../src/engines/commit-swap.ts';
import { createDedicatedEngine } from '../../src/engines/dedicated/engine.ts';
import { instanceIdOf } from '../../src/engines/dedicated/names.ts';
import { swapDatabases } from '../../src/engines/dedicated/swap.ts';
import { embeddedSharedCluster } from '../../src/engines/shared/cluster.ts';
import { createSharedEngine } from '../../src/engines/shared/engine.ts';
import { tenantNamesOf } from '../../src/engines/shared/names.ts';
import { swapSchemas } from '../../src/engines/shared/swap.ts';
import type { SwapOutcome } from '../../src/engines/undo.ts';
import { connectPostgres } from '../../src/postgres/connect.ts';
import { NO_PREREQUISITES } from '../../src/postgres/manifest/prerequisites/data.ts';
import { quoteIdentifier } from '../../src/postgres/sql/quote.ts';
import type { PostgresTarget } from '../../src/postgres/target.ts';
import { startCommitRelay } from './commit-relay.ts';
import { makeProject, quietLog } from './project.ts';
import { clock, openTestRuntime, standings, type TestRuntime } from './runtime.ts';

const NOTHING_CHANGED = { code: 'instance_unavailable', hint: 'Nothing was changed. Run the command again.' };

/** A server with something that is live and something to swap it for. */
interface Place {
  readonly admin: PostgresTarget;
  readonly live: string;
  readonly next: string;
  /** Creates `next`. */
  prepare(): Promise<void>;
  swap(admin: PostgresTarget, previous: 'keep' | 'drop'): Promise<SwapOutcome>;
  /** The names of what is there, with its object id. */
  list(): Promise<Map<string, string>>;
}

let runtime: TestRuntime;

beforeAll(async () => {
  runtime = await openTestRuntime();
}, 60_000);

afterAll(() => runtime?.close());

const ask = async <Row extends object>(target: PostgresTarget, sql: string) => {
  await using session = await connectPostgres(target);
  return await session.query<Row>(sql);
};
const listNames = async (target: PostgresTarget, sql: string) =>
  new Map((await ask<{ name: string; oid: string }>(target, sql)).map(({ name, oid }) => [name, oid]));
const openTransactions = (target: PostgresTarget) =>
  ask(target, `select pid from pg_stat_activity where state like 'idle in transaction%' and pid <> pg_backend_pid()`);

async function openDedicated(): Promise<Place> {
  const parts = { runtime: runtime.runtime, toolbox: runtime.toolbox, defaultMajor: () => runtime.major, publicHost: '127.0.0.1' };
  const project = makeProject('v1_dedicated');
  await createDedicatedEngine({ ...parts, standings, clock, log: quietLog }).provision(project);
  const admin = runtime.runtime.superuser(instanceIdOf(project));
  const [live, next] = ['bloom_atelier', 'bloom_atelier_next'];
  return {
    admin,
    live,
    next,
    prepare: () => ask(admin, `create database ${next}`).then(() => undefined),
    swap: (target, previous) => swapDatabases(target, { live, next, previous, at: new Date() }),
    list: () => listNames(admin, `select datname as name, oid::text from pg_database where datname ~ '^bloom'`),
  };
}

async function openShared(): Promise<Place> {
  const cluster = embeddedSharedCluster({ runtime: runtime.runtime, major: () => runtime.major, publicHost: '127.0.0.1' });
  const project = makeProject('v2_shared');
  await createSharedEngine({ cluster, standings, clock, log: quietLog }).provision(project);
  const names = tenantNamesOf(project);
  const next = names.schema.replace(/api$/, 'next');
  return {
    admin: cluster.admin(),
    live: names.schema,
    next,
    prepare: () =>
      ask(cluster.admin(), `create schema ${quoteIdentifier(next)} authorization ${quoteIdentifier(names.ddl)}`).then(() => undefined),
    swap: (target, previous) => swapSchemas(target, names, { next, previous, defaults: NO_PREREQUISITES, at: new Date() }),
    list: () => listNames(cluster.admin(), `select nspname as name, oid::text from pg_namespace where nspname ~ '^t_'`),
  };
}

describe.each([
  ['databases', openDedicated],
  ['schemas', openShared],
])('a swap of %s whose connection is lost while it is committed', (_, open) => {
  let place: Place;
  beforeAll(async () => {
    place = await open();
  }, 60_000);
  beforeEach(async () => {
    if (!(await place.list()).has(place.next)) await place.prepare();
  });

  it('is done when it was committed', async () => {
    const before = await place.list();
    await using relay = await startCommitRelay(place.admin, 'the answer');

    const { undoName } = await place.swap(relay.target, 'keep');

    const after = await place.list();
    expect(undoName).toMatch(/_before_\d{14}$/);
    expect(after.get(undoName ?? '')).toBe(before.get(place.live));
    expect(after.get(place.live)).toBe(before.get(place.next));
    expect(after.has(place.next)).toBe(false);
  });

  it('drops what it replaced when that was asked for', async () => {
    const before = await place.list();
    await using relay = await startCommitRelay(place.admin, 'the answer');

    expect(await place.swap(relay.target, 'drop')).toMatchObject({ undoName: null });

    const after = await place.list();
    expect(after.get(place.live)).toBe(before.get(place.next));
    expect([...after.values()]).not.toContain(before.get(place.live));
  });

  it('says that nothing was changed when it was not, and that stays so', async () => {
    const before = await place.list();
    await using relay = await startCommitRelay(place.admin, 'the command');

    await expect(place.swap(relay.target, 'keep')).rejects.toMatchObject(NOTHING_CHANGED);

    // The server has not noticed that its client is gone: the transaction could still be committed, and would keep its locks.
    expect(await openTransactions(place.admin)).toEqual([]);
    expect(await place.list()).toEqual(before);
  });
});

describe('a commit', () => {
  let admin: PostgresTarget;
  beforeAll(async () => {
    await runtime.runtime.create({ id: 'alone', major: runtime.major, network: 'loopback' });
    admin = runtime.runtime.superuser('alone');
  }, 60_000);
  const isThere = async (session: Awaited<ReturnType<typeof connectPostgres>>, name: string) =>
    (await session.query('select from pg_namespace where nspname = $1', [name])).length > 0;

  it('whose outcome the server does not tell is unknown, and says where to look', async () => {
    await using relay = await startCommitRelay(admin, 'the answer');
    await using session = await connectPostgres(relay.target);
    await session.run('BEGIN; CREATE SCHEMA a_before_20260620171833');
    relay.refuse();

    const pending = { session, admin: relay.target, creates: 'a_before_20260620171833', isThere };
    await expect(commitSwap({ ...pending, previous: 'keep' }, 600)).rejects.toMatchObject({
      code: 'instance_unavailable',
      message: expect.stringContaining('may be swapped or not'),
      hint: expect.stringMatching(/flux doctor.*if a_before_20260620171833 is there/),
      details: { outcome: 'unknown', undoName: 'a_before_20260620171833' },
    });
  });

  it('is looked up again while the server does not accept connections', async () => {
    await using relay = await startCommitRelay(admin, 'the answer');
    await using session = await connectPostgres(relay.target);
    await session.run('BEGIN; CREATE SCHEMA d_before_20260620171833');
    relay.refuse(700);
    await commitSwap({ session, admin: relay.target, creates: 'd_before_20260620171833', isThere, previous: 'keep' });
  });

  it('is refused as before when the server refuses it', async () => {
    await using session = await connectPostgres(admin);
    await session.run(`CREATE TEMP TABLE t (i int UNIQUE DEFERRABLE INITIALLY DEFERRED); BEGIN; INSERT INTO t VALUES (1), (1)`);
    const pending = { session, admin, creates: 'b_before_20260620171833', isThere, previous: 'keep' } as const;
    await expect(commitSwap(pending)).rejects.toMatchObject({ code: '23505' });
  });

  it('whose session ends with an error of the server is looked up all the same', async () => {
    await using session = await connectPostgres(admin);
    await using other = await connectPostgres(admin);
    await session.run('BEGIN; CREATE SCHEMA c_before_20260620171833');
    const pid = session.backendPid;
    const ended = new Promise<void>((resolve) => session.onEnd(resolve));
    const ending = {
      ...session,
      // The server has committed, and ends the session before it answers.
      run: async (sql: string) => {
        await session.run(sql);
        await other.query('select pg_terminate_backend($1)', [pid]);
        await ended;
        throw Object.assign(new DatabaseError('terminating connection', 0, 'error'), { code: '57P01' });
      },
    };
    await commitSwap({ session: ending, admin, creates: 'c_before_20260620171833', isThere, previous: 'keep' });
  });
});
