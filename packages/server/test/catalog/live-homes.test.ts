import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { listLiveHomes } from '../../src/catalog/installation.ts';
import { openCatalog } from '../../src/catalog/open.ts';
import { takeWorkerLease } from '../../src/catalog/worker-lease.ts';
import { startCluster } from '../postgres/cluster.ts';

it('finds the data folders of the servers that work now in one question, however many starts there were', async () => {
  await using cluster = await startCluster();
  const { host, port, user, database } = await cluster.createDatabase('catalog');
  const catalog = await openCatalog({ host, port, user, database }, () => undefined);
  try {
    await catalog.executeSql(
      `insert into workers (id, host, pid, home) select gen_random_uuid(), 'h', 1, gen_random_uuid() from generate_series(1, 5000)`,
    );
    expect(await listLiveHomes(catalog)).toEqual(new Set());
    const [first, second] = [randomUUID(), randomUUID()];
    const leases = [await takeWorkerLease(catalog, first), await takeWorkerLease(catalog, first), await takeWorkerLease(catalog, second)];
    const nameless = await takeWorkerLease(catalog, null);
    let asked = 0;
    const counted = {
      db: catalog.db,
      executeSql: (text: string, values?: unknown[]) => {
        asked += 1;
        return catalog.executeSql(text, values);
      },
    };
    expect(await listLiveHomes(counted)).toEqual(new Set([first, second]));
    expect(asked).toBe(1);
    await leases.pop()?.close();
    await expect.poll(() => listLiveHomes(catalog)).toEqual(new Set([first]));
    for (const lease of [...leases, nameless]) await lease.close();
  } finally {
    await catalog.close();
  }
});
