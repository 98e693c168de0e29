import { afterAll, beforeAll, expect, it } from 'vitest';
import { connectPostgres } from '../../src/postgres/connect.ts';
import { startCluster, type TestCluster } from './cluster.ts';

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await startCluster();
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

const MIB = 2 ** 20;

it.each([
  ['a value', `select repeat('x', ${3 * MIB})`],
  ['a notice', `do $$ begin raise notice '%', repeat('x', ${3 * MIB}); end $$`],
  ['an error that carries its statement', `do $$ begin execute 'comment on table t is ''' || repeat('x', ${3 * MIB}) || ''''; end $$`],
])('ends a connection over which comes %s that is too large, and nothing else', async (_, sql) => {
  await using session = await connectPostgres(cluster.superuser(), { maxBytes: { message: MIB } });
  await expect(session.run(sql)).rejects.toMatchObject({
    code: 'postgres_failed',
    message: expect.stringMatching(/^Postgres sent a value, notice or error of [45] MiB|of 3 MiB, and Flux reads at most 1 MiB/),
  });
  await expect(session.query('select 1')).rejects.toThrow();
  await using other = await connectPostgres(cluster.superuser(), { maxBytes: { message: MIB } });
  expect(await other.query(`select length(repeat('x', ${3 * MIB})) as n, repeat('y', ${MIB - 100}) as y`)).toMatchObject([{ n: 3 * MIB }]);
});

it('reads many messages that are together larger than one may be', async () => {
  await using session = await connectPostgres(cluster.superuser(), { maxBytes: { message: MIB } });
  const rows = await session.query<{ x: string }>(`select repeat('x', 100000 + i * 7) as x from generate_series(1, 200) i`);
  expect(rows.map(({ x }) => x.length)).toEqual(Array.from({ length: 200 }, (_, index) => 100_000 + (index + 1) * 7));
});

it('limits statements by the memory that their results take, whatever is done with rows', async () => {
  await using session = await connectPostgres(cluster.superuser(), { maxBytes: { answer: MIB } });
  await session.run('select;'.repeat(1000));
  await session.run('select;'.repeat(1000));
  await expect(session.run('select;'.repeat(10_000))).rejects.toMatchObject({ code: 'postgres_failed' });
  const wide = `select ${Array.from({ length: 1600 }, (_, index) => `1 as c${index}`).join(',')} where false;`;
  await using other = await connectPostgres(cluster.superuser(), { maxBytes: { answer: MIB } });
  await expect(other.run(wide.repeat(10))).rejects.toMatchObject({ code: 'postgres_failed' });
});

it('limits rows that are collected by the memory that they take', async () => {
  await using session = await connectPostgres(cluster.superuser(), { maxBytes: { answer: MIB } });
  const few = 'select i, null as b, null as c from generate_series(1, 3000) i';
  expect(await session.query(few)).toHaveLength(3000);
  expect(await session.query(few)).toHaveLength(3000);
  await session.run('select null from generate_series(1, 100000)');
  await expect(session.query('select null from generate_series(1, 10000)')).rejects.toMatchObject({
    code: 'postgres_failed',
    message: expect.stringContaining('more rows than fit into 1 MiB'),
  });
});

it('ends a session that lasts too long, when it has a limit', async () => {
  await using session = await connectPostgres(cluster.superuser(), { withinMs: 500 });
  await expect(session.query('select pg_sleep(10)')).rejects.toMatchObject({
    code: 'instance_unavailable',
    message: expect.stringContaining('has not answered within 0.5 s'),
  });
});

it('has a bound of its own', async () => {
  await using session = await connectPostgres(cluster.superuser());
  await expect(session.run(`select repeat('x', 150000000)`)).rejects.toThrow('of 144 MiB, and Flux reads at most 128 MiB');
});

it('ends the connection when a listener of ours fails, too', async () => {
  await using session = await connectPostgres(cluster.superuser());
  session.onNotice(() => {
    throw new Error('a listener failed');
  });
  await expect(session.run(`do $$ begin raise notice 'x'; end $$`)).rejects.toThrow('a listener failed');
});
