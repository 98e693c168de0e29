import type { ProjectHash, ProjectId, UserId } from '@flux/contract/ids';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Catalog } from '../../src/catalog/open.ts';
import { deleteIncompleteProject, findProjectById, insertProject } from '../../src/catalog/projects.ts';
import { uuidv7 } from '../../src/system/uuid.ts';
import { openTestCatalog, type TestCatalog } from './open-catalog.ts';

let place: TestCatalog;
let catalog: Catalog;
beforeAll(async () => {
  place = await openTestCatalog();
  catalog = place.catalog;
});
afterAll(() => place?.[Symbol.asyncDispose]());

let made = 0;
async function createIncomplete(lifecycle: 'creating' | 'removing' | 'active' = 'removing'): Promise<ProjectId> {
  made += 1;
  const owner = uuidv7(new Date()) as UserId;
  const worker = uuidv7(new Date());
  await catalog.db
    .insertInto('users')
    .values({ id: owner, name: `owner-${made}` })
    .execute();
  await catalog.db.insertInto('workers').values({ id: worker, host: 'here', pid: 1 }).execute();
  const { id } = await insertProject(catalog.db, {
    id: uuidv7(new Date()) as ProjectId,
    owner_id: owner,
    slug: `p${made}`,
    hash: made.toString(16).padStart(7, '0') as ProjectHash,
    engine: 'v2_shared',
    lifecycle,
    worker_id: worker,
    sealed_secrets: Buffer.from('x'),
  });
  return id;
}

const TOKEN = `insert into tokens (id, user_id, name, sha256, access, all_projects)
  select $2, owner_id, 'limited', encode(sha256(id::text::bytea), 'hex'), 'read', false from projects where id = $1`;

/** A row of each table that refers to projects; $2 is a new id. Receipts refer to verifications, which refer to backups. */
const ROWS: Readonly<Record<string, readonly string[]>> = {
  audit_events: [`insert into audit_events (project_id, action, subject) values ($1, 'project.create', $2)`],
  backups: [
    `insert into backups (id, project_id, kind, engine, status, created_at) values ($2, $1, 'tenant_export', 'v2_shared', 'queued', now())`,
  ],
  operations: [
    `insert into operations (id, project_id, kind, state, touches, created_at, finished_at, error)
     values ($2, $1, 'push', 'failed', 'project', now(), now(), '{}')`,
  ],
  outbox: [`insert into outbox (project_id, at, topic, payload) values ($1, now(), 'operation_ended', jsonb_build_object('id', $2::text))`],
  token_projects: [TOKEN, 'insert into token_projects (project_id, token_id) values ($1, $2)'],
};

it('knows every table that refers to projects', async () => {
  const { rows } = await catalog.executeSql(
    `select conrelid::regclass::text as name from pg_constraint where contype = 'f' and confrelid = 'projects'::regclass`,
  );
  expect(new Set((rows as { name: string }[]).map(({ name }) => name))).toEqual(new Set([...Object.keys(ROWS), 'receipts']));
});

it('deletes the row of an incomplete project', async () => {
  const id = await createIncomplete();
  expect(await deleteIncompleteProject(catalog.db, id)).toBe(true);
  expect(await findProjectById(catalog.db, id)).toBeUndefined();
});

it.each(Object.entries(ROWS))('leaves one that %s refers to', async (_, statements) => {
  const id = await createIncomplete();
  const other = uuidv7(new Date());
  for (const statement of statements) await catalog.executeSql(statement, [id, other]);
  expect(await deleteIncompleteProject(catalog.db, id)).toBe(false);
  expect(await findProjectById(catalog.db, id)).toMatchObject({ lifecycle: 'removing' });
});

it.each(['creating', 'active'] as const)('leaves one that nobody has begun to remove, and that is %s', async (lifecycle) => {
  const id = await createIncomplete(lifecycle);
  expect(await deleteIncompleteProject(catalog.db, id)).toBe(false);
});
