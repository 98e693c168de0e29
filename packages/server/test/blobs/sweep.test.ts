import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { createVolumeStore } from '../../src/blobs/volume.ts';
import { openCatalog } from '../../src/catalog/open.ts';
import { isWorkerIdAlive, takeWorkerLease } from '../../src/catalog/worker-lease.ts';
import { startCluster } from '../postgres/cluster.ts';

const { signal } = new AbortController();

it('a server that starts leaves the drafts of another one alone, until its lease is gone', async () => {
  await using cluster = await startCluster();
  const { host, port, user, database } = await cluster.createDatabase('catalog');
  const catalog = await openCatalog({ host, port, user, database }, () => undefined);
  const root = mkdtempSync(join(tmpdir(), 'flux-two-servers-'));
  try {
    const [first, second] = [await takeWorkerLease(catalog, null), await takeWorkerLease(catalog, null)];
    const isAlive = (id: string) => isWorkerIdAlive(catalog, id);
    const writing = createVolumeStore({ root, workerId: () => first.workerId });
    const starting = createVolumeStore({ root, workerId: () => second.workerId });
    const begin = async (key: string) => {
      const source = new PassThrough();
      const putting = writing.put(key, source, { signal });
      putting.catch(() => undefined);
      source.write(Buffer.alloc(2_000_000));
      while (!existsSync(join(root, 'p')) || readdirSync(join(root, 'p')).filter((name) => name.startsWith('.')).length === 0)
        await sleep(5);
      return { source, putting };
    };

    const good = await begin('p/good.dump');
    await starting.sweepDrafts(isAlive, signal);
    good.source.end();
    expect((await good.putting).sizeBytes).toBe(2_000_000);

    const doomed = await begin('p/doomed.dump');
    await first.close();
    await starting.sweepDrafts(isAlive, signal);
    expect(readdirSync(join(root, 'p'))).toEqual(['good.dump']);
    doomed.source.end();
    await expect(doomed.putting).rejects.toMatchObject({ code: 'volume_unusable' });
    expect(readdirSync(join(root, 'p'))).toEqual(['good.dump']);
    await second.close();
  } finally {
    await catalog.close();
    rmSync(root, { recursive: true, force: true });
  }
});
