import { randomUUID } from 'node:crypto';
import { FluxError } from '@flux/contract/errors';
import type { OperationId } from '@flux/contract/ids';
import type { EngineKind } from '@flux/contract/labels';
import { expect, it } from 'vitest';
import { type Catalog, openCatalog } from '../../src/catalog/open.ts';
import { claimOperation, findOperation, insertOperation } from '../../src/catalog/operations.ts';
import type { BoundOperation, Task } from '../../src/operations/define.ts';
import { endInherited } from '../../src/operations/inherited.ts';
import { keepLease, type Lease } from '../../src/operations/lease.ts';
import { runQueued } from '../../src/operations/run.ts';
import { systemClock } from '../../src/system/clock.ts';
import { quietLog } from '../engines/project.ts';
import { startCluster } from '../postgres/cluster.ts';

/** A catalog with an operation that waits for a worker, and the lease of one. */
async function openWithOperation() {
  await using parts = new AsyncDisposableStack();
  const cluster = parts.use(await startCluster());
  await cluster.createDatabase('catalog');
  const { host, port, user } = cluster.superuser();
  const catalog = await openCatalog({ host, port, user, database: 'catalog' }, () => undefined);
  parts.defer(() => catalog.close());
  const lease = await keepLease(catalog, quietLog, null);
  parts.defer(() => lease.close());
  const [owner, projectId, id] = [randomUUID(), randomUUID(), randomUUID() as OperationId];
  await catalog.executeSql(`insert into users (id, name) values ('${owner}', 'somebody')`);
  await catalog.executeSql(
    `insert into projects (id, owner_id, slug, hash, engine, lifecycle, sealed_secrets) values ('${projectId}', '${owner}', 'shop', 'abcdef0', 'v2_shared', 'active', '')`,
  );
  const row = { id, projectId, kind: 'backup_create', touches: 'project', backupId: null, requestedBy: null, request: {} } as const;
  await catalog.db.transaction().execute((db) => insertOperation(db, { ...row, createdAt: new Date(), workerId: null } as never));
  const all = parts.move();
  return { cluster, catalog, lease, id, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

/** What does the work of the operation, and nothing else. */
const boundTo = (afterWorkerLoss: 'end' | 'restart', run: (order: object, task: Task) => Promise<object>) =>
  ({
    kind: 'backup_create',
    afterWorkerLoss,
    parseOrder: (order: object) => order,
    run,
    onSucceeded: async () => undefined,
    onInterrupted: async () => undefined,
  }) as unknown as BoundOperation;

const depsOf = (catalog: Catalog, lease: Lease, enqueued: OperationId[] = []) => ({
  catalog,
  clock: systemClock,
  log: quietLog,
  lease,
  queue: { enqueue: async (_: unknown, id: OperationId) => void enqueued.push(id) },
  stopping: new AbortController().signal,
});

it.each(['succeeded', 'failed'] as const)(
  'records that an operation has %s when the catalog is back, under the lease that it has kept',
  async (state) => {
    await using opened = await openWithOperation();
    const { cluster, catalog, lease, id } = opened;
    const { workerId } = lease.held();
    /** Sessions of the pool end, and no new one can be opened; that of the lease goes on. */
    const away = async () => {
      await cluster.run('postgres', 'alter database catalog allow_connections false');
      await cluster.run(
        'postgres',
        `select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = 'catalog' and pid not in (select pid from pg_locks where locktype = 'advisory')`,
      );
    };
    let back: Promise<void> | undefined;
    const bound = boundTo('end', async () => {
      await away();
      back = new Promise<void>((resolve) => setTimeout(resolve, 1500)).then(() =>
        cluster.run('postgres', 'alter database catalog allow_connections true'),
      );
      if (state === 'failed') throw new Error('the work did not succeed');
      return {};
    });
    const slot = { setAside: new AbortController().signal, claimed: () => undefined };
    await runQueued(depsOf(catalog, lease), id, bound, slot);
    await back;
    expect(await findOperation(catalog.db, id)).toMatchObject({ state, worker_id: workerId });
    expect(lease.held().workerId).toBe(workerId);
  },
);

/** A catalog that commits its first transaction without telling so; then something else happens before it answers again. */
function losingFirstAnswer(catalog: Catalog, meanwhile: () => Promise<void>): Catalog {
  let isFirst = true;
  const execute: ReturnType<Catalog['db']['transaction']>['execute'] = async (work) => {
    const result = await catalog.db.transaction().execute(work);
    if (!isFirst) return result;
    isFirst = false;
    await meanwhile();
    throw new FluxError('catalog_unavailable', 'The catalog database did not answer.');
  };
  const db = new Proxy(catalog.db, {
    get: (target, name) => {
      if (name === 'transaction') return () => ({ execute });
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return { ...catalog, db };
}

it('leaves an operation that it set aside to its next run, when the answer to that was lost', async () => {
  await using opened = await openWithOperation();
  const { catalog, lease, id } = opened;
  const { workerId } = lease.held();
  const setAside = new AbortController();
  const enqueued: OperationId[] = [];
  const bound = boundTo('restart', async (_, { signal }) => {
    setAside.abort('long');
    signal.throwIfAborted();
    return {};
  });
  const losing = losingFirstAnswer(catalog, async () => {
    expect(await findOperation(catalog.db, id)).toMatchObject({ state: 'queued', pace: 'long' });
    await claimOperation(catalog.db, id, workerId, new Date());
  });
  await runQueued(depsOf(losing, lease, enqueued), id, bound, { setAside: setAside.signal, claimed: () => undefined });
  expect(await findOperation(catalog.db, id)).toMatchObject({ state: 'running', worker_id: workerId });
  expect(enqueued).toEqual([id]);
});

it('ends what waits and replaces data of an engine that could not be compared, unless another server works already', async () => {
  await using opened = await openWithOperation();
  const { catalog, lease, id } = opened;
  const stateOf = async () => (await findOperation(catalog.db, id))?.state;
  const end = (afterWorkerLoss: 'end' | 'restart', engines: readonly EngineKind[]) => {
    const bound = boundTo(afterWorkerLoss, async () => expect.unreachable());
    return endInherited(depsOf(catalog, lease), new Map([['backup_create', bound]]), engines);
  };
  await end('end', []);
  await end('end', ['v1_dedicated']);
  await end('restart', ['v2_shared']);
  const other = await keepLease(catalog, quietLog, null);
  await catalog.executeSql(`update workers set started_at = now() - interval '6 minutes' where id = '${other.held().workerId}'`);
  await end('end', ['v2_shared']);
  expect(await stateOf()).toBe('queued');
  // One that starts together with this one.
  await catalog.executeSql(`update workers set started_at = now()`);
  await end('end', ['v2_shared']);
  expect(await findOperation(catalog.db, id)).toMatchObject({ state: 'failed', error: { code: 'interrupted' } });
  await other.close();
});
