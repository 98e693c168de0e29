import { afterAll, beforeAll, expect, it } from 'vitest';
import { openCatalog } from '../../src/catalog/open.ts';
import { connectPostgres } from '../../src/postgres/connect.ts';
import { startCluster, type TestCluster } from '../postgres/cluster.ts';

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await startCluster();
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

/** An empty database, and the tables that are in it afterwards. */
async function emptyDatabase(name: string) {
  const { host, port, user, database } = await cluster.createDatabase(name);
  const tables = async () => {
    await using session = await connectPostgres(cluster.superuser(name));
    return await session.query(`select relname from pg_class where relnamespace = 'public'::regnamespace`);
  };
  return { connection: { host, port, user, database }, tables };
}

it('changes nothing in a catalog that the check refuses', async () => {
  const { connection, tables } = await emptyDatabase('refused');
  const refusal = new Error('the catalog of somebody else');
  const opening = openCatalog(connection, () => undefined, {
    check: async () => {
      throw refusal;
    },
  });
  await expect(opening).rejects.toThrow('the catalog of somebody else');
  expect(await tables()).toEqual([]);
});

it('changes nothing in a catalog whose tables are to be left', async () => {
  const { connection, tables } = await emptyDatabase('left');
  await expect(openCatalog(connection, () => undefined, { tables: 'leave' })).rejects.toMatchObject({ code: 'catalog_outdated' });
  expect(await tables()).toEqual([]);
  await (await openCatalog(connection, () => undefined)).close();
  const catalog = await openCatalog(connection, () => undefined, { tables: 'leave' });
  expect(catalog.mode).toBe('read-write');
  await catalog.close();
});
