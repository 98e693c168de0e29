import { expect, it } from 'vitest';
import { openCatalog } from '../../src/catalog/open.ts';
import { keepLease } from '../../src/operations/lease.ts';
import { quietLog } from '../engines/project.ts';
import { startCluster } from '../postgres/cluster.ts';

const once = (signal: AbortSignal) => new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
const leases = `select count(*)::int as held from pg_locks where locktype = 'advisory' and objsubid = 2 and granted`;
const endSessions = `select pg_terminate_backend(pid, 5000) from pg_locks where locktype = 'advisory' and objsubid = 2`;

it('is taken anew when what ran under it has ended, however long the catalog is away, and given up when that does not end', async () => {
  await using cluster = await startCluster();
  await cluster.createDatabase('catalog');
  const { host, port, user } = cluster.superuser();
  const catalog = await openCatalog({ host, port, user, database: 'catalog' }, () => undefined);
  const lease = await keepLease(catalog, quietLog, null, 3000);
  const first = lease.held();
  const regained = new Promise<void>((resolve) => lease.onRegained(resolve));

  let finishWork = () => {};
  const work = lease.during(async ({ lost }) => {
    await once(lost);
    await new Promise<void>((resolve) => {
      finishWork = resolve;
    });
  });
  await cluster.run('catalog', endSessions);
  await once(first.lost.aborted ? AbortSignal.timeout(0) : first.lost);
  expect(lease.isHeld()).toBe(false);
  expect(() => lease.held()).toThrow(expect.objectContaining({ code: 'catalog_unavailable' }));
  await expect(lease.during(async () => 'begun')).rejects.toMatchObject({ code: 'catalog_unavailable' });
  expect((await catalog.executeSql(leases)).rows).toEqual([{ held: 0 }]);
  finishWork();
  await work;
  await regained;
  expect(lease.held().workerId).not.toBe(first.workerId);
  expect((await catalog.executeSql(leases)).rows).toEqual([{ held: 1 }]);

  // Away for longer than work may take to end.
  const again = new Promise<void>((resolve) => lease.onRegained(resolve));
  await cluster.run('postgres', 'alter database catalog allow_connections false');
  await cluster.run('postgres', endSessions);
  await once(AbortSignal.timeout(4000));
  expect(lease.isHeld()).toBe(false);
  expect(lease.givenUp.aborted).toBe(false);
  await cluster.run('postgres', 'alter database catalog allow_connections true');
  await again;

  void lease.during(() => new Promise(() => undefined));
  await cluster.run('postgres', endSessions);
  await once(lease.givenUp);
  expect(lease.givenUp.reason).toMatchObject({ code: 'catalog_unavailable', message: expect.stringContaining('within 3 s') });
  await lease.close();
  await catalog.close();
});
