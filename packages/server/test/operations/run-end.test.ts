import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { openCatalog } from '../../src/catalog/open.ts';
import { findOperation, insertOperation } from '../../src/catalog/operations.ts';
import type { BoundOperation } from '../../src/operations/define.ts';
import { keepLease } from '../../src/operations/lease.ts';
import { runQueued } from '../../src/operations/run.ts';
import { systemClock } from '../../src/system/clock.ts';
import { quietLog } from '../engines/project.ts';
import { startCluster } from '../postgres/cluster.ts';

it.each(['succeeded', 'failed'] as const)(
  'records that an operation has %s when the catalog is back, under the lease that it has kept',
  async (state) => {
    await using cluster = await startCluster();
    await cluster.createDatabase('catalog');
    const { host, port, user } = cluster.superuser();
    const catalog = await openCatalog({ host, port, user, database: 'catalog' }, () => undefined);
    const lease = await keepLease(catalog, quietLog, null);
    const { workerId } = lease.held();
    const [owner, projectId, id] = [randomUUID(), randomUUID(), randomUUID()];
    await catalog.executeSql(`insert into users (id, name) values ('${owner}', 'somebody')`);
    await catalog.executeSql(
      `insert into projects (id, owner_id, slug, hash, engine, lifecycle, sealed_secrets) values ('${projectId}', '${owner}', 'shop', 'abcdef0', 'v2_shared', 'active', '')`,
    );
    const row = { id, projectId, kind: 'backup_create', touches: 'project', backupId: null, requestedBy: null, request: {} } as const;
    await catalog.db.transaction().execute((db) => insertOperation(db, { ...row, createdAt: new Date(), workerId: null } as never));

    /** Sessions of the pool end, and no new one can be opened; that of the lease goes on. */
    const away = async () => {
      await cluster.run('postgres', 'alter database catalog allow_connections false');
      await cluster.run(
        'postgres',
        `select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = 'catalog' and pid not in (select pid from pg_locks where locktype = 'advisory')`,
      );
    };
    let back: Promise<void> | undefined;
    const bound = {
      kind: 'backup_create',
      afterWorkerLoss: 'end',
      parseOrder: (order: object) => order,
      run: async () => {
        await away();
        back = new Promise<void>((resolve) => setTimeout(resolve, 1500)).then(() =>
          cluster.run('postgres', 'alter database catalog allow_connections true'),
        );
        if (state === 'failed') throw new Error('the work did not succeed');
        return {};
      },
      onSucceeded: async () => undefined,
      onInterrupted: async () => undefined,
    } as unknown as BoundOperation;
    const queue = { enqueue: async () => undefined };
    const stopping = new AbortController().signal;
    const slot = { setAside: new AbortController().signal, claimed: () => undefined };
    await runQueued({ catalog, clock: systemClock, log: quietLog, lease, queue, stopping }, id as never, bound, slot);
    await back;
    expect(await findOperation(catalog.db, id as never)).toMatchObject({ state, worker_id: workerId });
    expect(lease.held().workerId).toBe(workerId);
    await lease.close();
    await catalog.close();
  },
);
