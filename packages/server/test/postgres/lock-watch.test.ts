import { afterAll, beforeAll, expect, it } from 'vitest';
import { connectPostgres } from '../../src/postgres/connect.ts';
import { type Blocker, blockersInWords, watchLocks, withLockReport } from '../../src/postgres/lock-watch.ts';
import { startCluster, type TestCluster } from './cluster.ts';

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await startCluster();
  await cluster.run('postgres', 'create table t (i int); create role holder login superuser');
});
afterAll(async () => await cluster?.[Symbol.asyncDispose]());

const hold = async () => {
  const session = await connectPostgres({ ...cluster.superuser(), user: 'holder' });
  await session.run('begin; lock table public.t in access exclusive mode');
  return session;
};

it('tells who has the lock that a session waits for, once, after the limit', async () => {
  await using holder = await hold();
  const told: (readonly Blocker[])[] = [];
  await using watch = watchLocks(cluster.superuser(), {
    of: { applicationName: 'watched' },
    limitMs: 100,
    onBlocked: (blockers) => void told.push(blockers),
  });
  await using waiting = await connectPostgres({ ...cluster.superuser(), applicationName: 'watched' }, { settings: { lock_timeout: '5s' } });
  await expect(waiting.query('select from public.t')).rejects.toMatchObject({ code: '55P03' });
  const blocker = { pid: holder.backendPid, role: 'holder', state: 'idle in transaction', since: expect.stringMatching(/^2.*Z$/) };
  expect(told).toEqual([[blocker]]);
  expect(watch.lastBlockers()).toEqual([blocker]);
});

it('makes an error of it that names the session', async () => {
  await using holder = await hold();
  const work = withLockReport(cluster.superuser(), async (session) => {
    await session.run(`set lock_timeout = '3s'`);
    await session.query('select from public.t');
  });
  await expect(work).rejects.toMatchObject({
    code: 'not_ready',
    message: expect.stringContaining(`Session ${holder.backendPid} of holder has a lock`),
    hint: expect.stringContaining(`pg_terminate_backend(${holder.backendPid})`),
  });
});

it('says what it can of a blocker that it may not see, and of none', () => {
  expect(blockersInWords([])).toBe('Another session has a lock that this needs.');
  expect(blockersInWords([{ pid: 7, role: null, state: null, since: null }])).toBe('Session 7 has a lock that this needs.');
  expect(blockersInWords([{ pid: 0, role: null, state: null, since: null }])).toBe('A prepared transaction has a lock that this needs.');
});
