import type { OperationId, ProjectHash, ProjectId, UserId } from '@flux/contract/ids';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { type Catalog, openCatalog } from '../../src/catalog/open.ts';
import { insertProject } from '../../src/catalog/projects.ts';
import { findNextWaiting } from '../../src/catalog/waiting.ts';
import { uuidv7 } from '../../src/system/uuid.ts';
import { startCluster } from '../postgres/cluster.ts';

let cluster: Awaited<ReturnType<typeof startCluster>>;
let catalog: Catalog;
beforeAll(async () => {
  cluster = await startCluster();
  await cluster.createDatabase('catalog');
  const { host, port, user } = cluster.superuser();
  catalog = await openCatalog({ host, port, user, database: 'catalog' }, () => undefined);
});
afterAll(async () => {
  await catalog?.close();
  await cluster?.[Symbol.asyncDispose]();
});
beforeEach(async () => {
  await catalog.executeSql('truncate operations, projects, users, workers cascade');
  await catalog.db.insertInto('workers').values({ id: WORKER, host: 'here', pid: 1 }).execute();
});

const START = Date.parse('2026-01-01T00:00:00Z');
const at = (seconds: number) => new Date(START + seconds * 1000);
const LIMITS = { quick: 3000, medium: 30_000 };
const WORKER = '00000000-0000-4000-8000-000000000000';

async function user(name: string): Promise<UserId> {
  const id = uuidv7(new Date()) as UserId;
  await catalog.db.insertInto('users').values({ id, name }).execute();
  return id;
}

let hashes = 0;
async function project(owner: UserId, slug: string): Promise<ProjectId> {
  hashes += 1;
  const { id } = await insertProject(catalog.db, {
    id: uuidv7(new Date()) as ProjectId,
    owner_id: owner,
    slug,
    hash: hashes.toString(16).padStart(7, '0') as ProjectHash,
    engine: 'v2_shared',
    lifecycle: 'active',
    sealed_secrets: Buffer.from('x'),
  });
  return id;
}

async function operation(
  projectId: ProjectId,
  values: { created: number; state?: 'queued' | 'running' | 'succeeded'; took?: number; pace?: 'medium' | 'long' },
): Promise<OperationId> {
  const id = uuidv7(new Date()) as OperationId;
  const { created, state = 'queued', took, pace } = values;
  await catalog.db
    .insertInto('operations')
    .values({
      id,
      project_id: projectId,
      kind: 'backup_create',
      touches: 'project',
      state,
      backup_id: null,
      requested_by: null,
      request: '{}',
      created_at: at(created),
      ...(state === 'running' ? { started_at: at(created), worker_id: WORKER } : {}),
      ...(state === 'succeeded' ? { started_at: at(created), finished_at: at(created + (took ?? 0)), result: '{}' } : {}),
      ...(pace === undefined ? {} : { pace }),
    })
    .execute();
  return id;
}
const next = async (pace: 'quick' | 'medium' | 'long', ofProject?: 'one') =>
  (await findNextWaiting(catalog.db, { kinds: ['backup_create'], limits: LIMITS, pace, ...(ofProject ? { ofProject } : {}) }))?.id;

it('takes the users and projects in turn, and then who waits longest', async () => {
  const [anna, ben] = [await user('anna'), await user('ben')];
  const busy = await project(anna, 'busy');
  await operation(busy, { created: 0, state: 'running' });
  const second = await operation(await project(anna, 'second'), { created: 1 });
  const other = await operation(await project(ben, 'other'), { created: 2 });
  expect(await next('quick')).toBe(other);
  await catalog.db
    .updateTable('operations')
    .set({ state: 'running', started_at: at(2), worker_id: WORKER })
    .where('id', '=', other)
    .execute();
  expect(await next('quick')).toBe(second);
  expect(await next('long')).toBeUndefined();
});

it('sends what took longer before to slower slots, later by as much as it took', async () => {
  const anna = await user('anna');
  const slow = await project(anna, 'slow');
  const slower = await project(anna, 'slower');
  const quick = await project(anna, 'quick');
  await operation(slow, { created: -1000, state: 'succeeded', took: 60 });
  await operation(slower, { created: -1000, state: 'succeeded', took: 600 });
  await operation(quick, { created: -1000, state: 'succeeded', took: 1 });
  const last = await operation(slower, { created: 0 });
  const first = await operation(slow, { created: 100 });
  const ofQuick = await operation(quick, { created: 200 });
  const ofMedium = await project(anna, 'medium');
  await operation(ofMedium, { created: -1000, state: 'succeeded', took: 10 });
  const medium = await operation(ofMedium, { created: 300 });
  expect(await next('quick')).toBe(ofQuick);
  expect(await next('medium')).toBe(medium);
  expect(await next('long')).toBe(first);
  await catalog.db.updateTable('operations').set({ pace: 'medium' }).where('id', '=', ofQuick).execute();
  expect(await next('medium')).toBe(ofQuick);
  expect(await next('quick')).toBeUndefined();
  // Another one that was set aside arrives later than 600 s after the slow one: it does not overtake it any more.
  await operation(await project(anna, 'aside'), { created: 601, pace: 'long' });
  await catalog.db.deleteFrom('operations').where('id', '=', first).execute();
  expect(await next('long')).toBe(last);
});

it('gives a project one slot at all where nothing can be set aside', async () => {
  const anna = await user('anna');
  const busy = await project(anna, 'busy');
  await operation(busy, { created: 0, state: 'running' });
  // As of a restore with --to, of which a project may have several; there are no backups here.
  await catalog.executeSql(`alter table operations drop constraint operations_touch_a_backup; update operations set touches = 'backup'`);
  const again = await operation(busy, { created: 1 });
  expect(await next('quick')).toBe(again);
  expect(await next('quick', 'one')).toBeUndefined();
  const other = await operation(await project(anna, 'other'), { created: 2 });
  expect(await next('quick', 'one')).toBe(other);
});

it('believes no time that was written while a clock was ahead, or put right', async () => {
  const owner = await user('anna');
  const leapt = await project(owner, 'leapt');
  const days = 8 * 86_400;
  // Its end is eight days ahead of now.
  await operation(leapt, { created: (Date.now() - START) / 1000, state: 'succeeded', took: days });
  const first = await operation(leapt, { created: 1 });
  expect(await next('quick')).toBe(first);
  // It took eight days by a clock that was put right meanwhile.
  const corrected = await project(owner, 'corrected');
  await operation(corrected, { created: 0, state: 'succeeded', took: days });
  await catalog.db.deleteFrom('operations').where('id', '=', first).execute();
  const late = await operation(corrected, { created: days });
  await operation(await project(owner, 'later'), { created: days + 3700, pace: 'long' });
  expect(await next('long')).toBe(late);
});
