import { Client } from 'pg';
import { expect, it } from 'vitest';
import { openCatalog } from '../../src/catalog/open.ts';
import { startCluster } from '../postgres/cluster.ts';

it('lets a long statement go on while the server refuses new connections: it has answered', async () => {
  await using cluster = await startCluster({ max_connections: '12' });
  const { host, port, user, database } = await cluster.createDatabase('catalog');
  const catalog = await openCatalog({ host, port, user, database }, () => undefined);
  const takers: Client[] = [];
  try {
    const asked = catalog.executeSql('select pg_sleep(8)');
    asked.catch(() => undefined);
    let refusal: unknown;
    while (refusal === undefined) {
      const taker = new Client({ host, port, user, database });
      taker.on('error', () => undefined);
      await taker.connect().then(
        () => void takers.push(taker),
        (error) => {
          refusal = error;
        },
      );
    }
    expect(refusal).toMatchObject({ code: '53300' });
    await expect(asked).resolves.toMatchObject({ rows: [{}] });
  } finally {
    for (const taker of takers) await taker.end();
    await catalog.close();
  }
});
