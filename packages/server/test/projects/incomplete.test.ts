import { randomBytes, randomUUID } from 'node:crypto';
import type { ProjectHash, ProjectId, UserId } from '@flux/contract/ids';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import type { Catalog } from '../../src/catalog/open.ts';
import {
  activateProject,
  findProjectById,
  insertProject,
  markProjectRemoved,
  type ProjectRow,
  reviveProject,
} from '../../src/catalog/projects.ts';
import { ensureUser } from '../../src/catalog/tokens.ts';
import { EngineDirectory, type EngineSet } from '../../src/engines/directory.ts';
import type { Engine, EngineProject, RemoveOptions } from '../../src/engines/engine.ts';
import { keepLease, type Lease } from '../../src/operations/lease.ts';
import { type RunDeps, runInline } from '../../src/operations/run.ts';
import { removeIncompleteProject, removeIncompleteProjects } from '../../src/projects/incomplete.ts';
import { finishRemovals, type NukeDeps, nuke } from '../../src/projects/nuke.ts';
import { systemClock } from '../../src/system/clock.ts';
import { createSeal } from '../../src/system/seal.ts';
import { openTestCatalog, type TestCatalog } from '../catalog/open-catalog.ts';
import { quietLog } from '../engines/project.ts';

let place: TestCatalog;
let catalog: Catalog;
let owner: UserId;
let creator: Lease;
let other: Lease;
beforeAll(async () => {
  place = await openTestCatalog();
  catalog = place.catalog;
  owner = await ensureUser(catalog.db, randomUUID() as UserId, 'somebody');
});
afterAll(() => place?.[Symbol.asyncDispose]());
beforeEach(async () => {
  creator = await keepLease(catalog, quietLog, null);
  other = await keepLease(catalog, quietLog, null);
});
afterEach(async () => {
  await creator.close();
  await other.close();
  await catalog.executeSql('truncate projects cascade');
});

const seal = createSeal(randomBytes(32));
/** A server whose engine does this when it removes a project. */
const serverWith = (remove: (project: EngineProject, options?: RemoveOptions) => Promise<void>) => {
  const engine = { name: 'test', kind: 'v2_shared', remove } as unknown as Engine;
  const engines = new EngineDirectory({ v1_dedicated: engine, v2_shared: engine, attached: engine } as EngineSet, seal);
  return { catalog, engines, clock: systemClock, log: quietLog };
};
/** One that notes which projects it removes, and whether to the trash. */
const noting = () => {
  const removed: string[] = [];
  const server = serverWith(async ({ id }, { to } = {}) => void removed.push(to === undefined ? id : `${id} ${to}`));
  return { removed, server };
};
/** One whose removals begin and do not end before they are told to. */
const hanging = () => {
  const begun: string[] = [];
  const end = Promise.withResolvers<void>();
  const server = serverWith(({ id }) => {
    begun.push(id);
    return end.promise;
  });
  return { begun, end, server };
};

async function beginCreation(lease = creator): Promise<ProjectRow> {
  const id = randomUUID() as ProjectId;
  const secrets = { loginPassword: '', ownerPassword: '', backupPassword: '', jwtSecret: '' };
  return insertProject(catalog.db, {
    id,
    owner_id: owner,
    slug: `p${id.replaceAll('-', '')}`,
    hash: randomBytes(4).toString('hex').slice(0, 7) as ProjectHash,
    engine: 'v2_shared',
    lifecycle: 'creating',
    worker_id: lease.held().workerId,
    sealed_secrets: new EngineDirectory({} as EngineSet, seal).sealSecrets(secrets),
  });
}
const lifecycleOf = async ({ id }: ProjectRow) => (await findProjectById(catalog.db, id))?.lifecycle;
const begins = (begun: readonly string[], { id }: ProjectRow) => expect.poll(() => begun, { timeout: 5000 }).toContain(id);
const recover = (server: ReturnType<typeof serverWith>, lease = other) =>
  removeIncompleteProjects({ ...server, operations: { lease } }, new AbortController().signal);

it('leaves the sessions of the catalog to others while the engine does not come to an end', async () => {
  const { begun, end, server } = hanging();
  const rows = await Promise.all(Array.from({ length: 12 }, () => beginCreation()));
  const removing = rows.map((row) => removeIncompleteProject(server, row));
  try {
    for (const row of rows) await begins(begun, row);
    const asked = Array.from({ length: 10 }, () => catalog.executeSql('select pg_sleep(0.1)'));
    await Promise.all(asked);
    const { rows: open } = await catalog.executeSql(`select from pg_stat_activity where state like 'idle in transaction%'`);
    expect(open).toHaveLength(0);
  } finally {
    end.resolve();
    await Promise.all(removing);
  }
  for (const row of rows) expect(await lifecycleOf(row)).toBeUndefined();
});

it('has nothing become live once its removal has begun', async () => {
  const { begun, end, server } = hanging();
  const row = await beginCreation();
  const removing = removeIncompleteProject(server, row);
  await begins(begun, row);
  expect(await activateProject(catalog.db, row.id)).toBe(false);
  end.resolve();
  await removing;
  expect(await lifecycleOf(row)).toBeUndefined();
});

it('waits for the commit that makes a project live, and leaves it', async () => {
  const { removed, server } = noting();
  const row = await beginCreation();
  const committing = Promise.withResolvers<void>();
  const activated = Promise.withResolvers<void>();
  const activating = catalog.db.transaction().execute(async (db) => {
    await activateProject(db, row.id);
    activated.resolve();
    await committing.promise;
  });
  await activated.promise;
  await creator.close();
  const recovering = recover(server);
  const waiting = `select from pg_locks where not granted`;
  await expect.poll(async () => (await catalog.executeSql(waiting)).rows.length, { timeout: 5000 }).toBe(1);
  committing.resolve();
  await Promise.all([activating, recovering]);
  expect(await lifecycleOf(row)).toBe('active');
  expect(removed).toEqual([]);
});

it('removes what a creator provisioned after another server had taken it for dead', async () => {
  const taken = hanging();
  const { removed, server } = noting();
  const row = await beginCreation();
  await creator.close();
  const recovering = recover(taken.server);
  await begins(taken.begun, row);
  await removeIncompleteProject(server, row);
  expect(removed).toEqual([row.id]);
  expect(await lifecycleOf(row)).toBeUndefined();
  taken.end.resolve();
  await recovering;
  expect(await lifecycleOf(row)).toBeUndefined();
});

it('has nobody restore a project anew while its creator removes what another server has left', async () => {
  const { begun, end, server } = hanging();
  const row = await beginCreation();
  const removedAt = new Date('2026-01-01T00:00:00Z');
  await markProjectRemoved(catalog.db, row.id, removedAt);
  const removing = removeIncompleteProject(server, row);
  await begins(begun, row);
  expect(await reviveProject(catalog.db, row.id, other.held().workerId)).toBeUndefined();
  end.resolve();
  await removing;
  expect(await findProjectById(catalog.db, row.id)).toMatchObject({ lifecycle: 'removed', removed_at: removedAt });
});

it('removes it from the engine also when another project has its name by now', async () => {
  const { removed, server } = noting();
  const row = await beginCreation();
  await markProjectRemoved(catalog.db, row.id, new Date());
  const { id, hash } = await beginCreation(other);
  await catalog.db.updateTable('projects').set({ slug: row.slug }).where('id', '=', id).execute();
  await removeIncompleteProject(server, row);
  expect(removed).toEqual([row.id]);
  expect(await lifecycleOf(row)).toBe('removed');
  expect(await findProjectById(catalog.db, id)).toMatchObject({ hash, lifecycle: 'creating' });
});

it('leaves a project that somebody restores anew', async () => {
  const { removed, server } = noting();
  const row = await beginCreation();
  await markProjectRemoved(catalog.db, row.id, new Date());
  await reviveProject(catalog.db, row.id, other.held().workerId);
  await removeIncompleteProject(server, row);
  expect(removed).toEqual([]);
  expect(await lifecycleOf(row)).toBe('creating');
});

it('is finished by another server when its own dies, and not before', async () => {
  const { removed, server } = noting();
  const row = await beginCreation();
  await removeIncompleteProject(
    serverWith(() => Promise.reject(new Error('the pool does not answer'))),
    row,
  );
  expect(await lifecycleOf(row)).toBe('removing');
  await recover(server);
  expect(removed).toEqual([]);
  await creator.close();
  await recover(server);
  expect(removed).toEqual([`${row.id} trash`]);
  expect(await lifecycleOf(row)).toBeUndefined();
});

/** What removals as operations use, by the other server. */
const removalsOf = (server: ReturnType<typeof serverWith>) => {
  const stopping = new AbortController().signal;
  const operations = { ...server, lease: other, queue: { enqueue: async () => undefined }, stopping };
  return { ...server, operations } as unknown as NukeDeps & { readonly operations: RunDeps };
};
const failToRemove = async (row: ProjectRow) => {
  await removeIncompleteProject(
    serverWith(() => Promise.reject(new Error('the pool does not answer'))),
    row,
  );
  expect(await lifecycleOf(row)).toBe('removing');
};

it('is finished as a removal when it was recorded elsewhere, after its server has died', async () => {
  const { removed, server } = noting();
  const row = await beginCreation();
  await catalog.executeSql(`insert into audit_events (project_id, action, subject) values ($1, 'project.create', 'it')`, [row.id]);
  await failToRemove(row);
  const finish = () => finishRemovals(removalsOf(server), new AbortController().signal);
  await finish();
  expect(await lifecycleOf(row)).toBe('removing');
  await creator.close();
  await recover(server);
  await finish();
  expect(removed).toEqual([`${row.id} trash`]);
  expect(await lifecycleOf(row)).toBe('removed');
});

it('is moved to the trash by its owner who does not wait for that', async () => {
  const { removed, server } = noting();
  const row = await beginCreation();
  await failToRemove(row);
  const deps = removalsOf(server);
  const project = (await findProjectById(catalog.db, row.id)) as ProjectRow;
  const order = { project, requester: { userId: owner, tokenId: null, name: 'somebody' }, request: { override: null } };
  await runInline(deps.operations, nuke, deps, order, new AbortController().signal);
  expect(removed).toEqual([`${row.id} trash`]);
  expect(await lifecycleOf(row)).toBe('removed');
});
