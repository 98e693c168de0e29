import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { API_PREFIX, type RouteName, STARTS } from '@flux/contract/endpoints';
import { OPERATION_RESULTS } from '@flux/contract/operation-results';
import { buildPath, type Route } from '@flux/contract/route';
import { ROUTES } from '@flux/contract/routes';
import { describe, expect, it } from 'vitest';
import { hex, type Json, makeToken, text, uuid, world } from './world.ts';

interface Sent {
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string | number>>;
  readonly body?: object;
  /** A file, instead of a body in JSON. */
  readonly bytes?: Buffer;
  readonly headers?: Record<string, string>;
  readonly token?: string;
}

/** Calls a route of our own API; an answer that differs from its schema in any member fails the test. */
async function call(name: RouteName, sent: Sent = {}): Promise<{ status: number; body: Json; headers: Headers }> {
  const route: Route = ROUTES[name];
  const answer = await fetch(world.flux.url + API_PREFIX + buildPath(route.path, sent.params ?? {}, sent.query), {
    method: route.method,
    headers: {
      authorization: `Bearer ${sent.token ?? world.flux.token()}`,
      ...(sent.body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(sent.bytes === undefined ? {} : { 'content-type': 'application/octet-stream' }),
      ...sent.headers,
    },
    body: sent.bytes ?? (sent.body === undefined ? null : JSON.stringify(sent.body)),
  });
  const body = (await answer.json()) as Json;
  if (answer.ok && route.answer !== undefined) {
    const parsed = route.answer.parse(body);
    expect({ name, isExact: isDeepStrictEqual(parsed, body), body }).toMatchObject({ isExact: true });
  }
  return { status: answer.status, body, headers: answer.headers };
}

/** Starts long work and follows it to its end. */
async function work(name: keyof typeof STARTS, sent: Sent): Promise<Json> {
  const started = await call(name, sent);
  expect({ name, ...started }).toMatchObject({ status: 202, body: { kind: STARTS[name] } });
  const id = String(started.body.id);
  expect(started.headers.get('location')).toBe(`${API_PREFIX}/operations/${id}`);
  const events = await fetch(`${world.flux.url}${API_PREFIX}/operations/${id}/events`, {
    headers: { authorization: `Bearer ${world.flux.token()}` },
  });
  expect(events.headers.get('content-type')).toBe('text/event-stream');
  expect(await events.text()).toContain('event: state');
  const { body } = await call('getOperation', { params: { id } });
  expect({ name, state: body.state, error: body.error }).toEqual({ name, state: 'succeeded', error: undefined });
  const result = OPERATION_RESULTS[STARTS[name]].parse(body.result);
  expect({ name, isExact: isDeepStrictEqual(result, body.result), result: body.result }).toMatchObject({ isExact: true });
  return body.result as Json;
}

describe('our own API', () => {
  const called = new Set<RouteName>();
  const walk = async (name: RouteName, sent?: Sent, status = 200) => {
    called.add(name);
    const answer = await call(name, sent);
    expect({ name, status: answer.status, error: answer.body.error }).toEqual({ name, status, error: undefined });
    return answer.body;
  };
  const walkWork = async (name: keyof typeof STARTS, sent: Sent) => {
    called.add(name).add('getOperation').add('watchOperation');
    return work(name, sent);
  };

  it('answers every route of its table as the table says', async () => {
    await walk('whoAmI');
    const { token, item } = await walk('createToken', { body: { name: 'walked' } }, 201);
    world.secrets.add(String(token));
    await walk('listTokens', { query: { limit: 1 } });
    await walk('revokeToken', { params: { id: String((item as Json).id) } });
    await walk('listAudit', { query: { limit: 2 } });
    await walk('examineServer');
    await walk('listReceiptKeys');
    await walk('rotateReceiptKey');

    const created = await walk('createProject', { body: { slug: 'walked', mode: 'v2_shared' } }, 201);
    const { hash } = created.project as { hash: string };
    const params = { hash };
    expect(await walk('linkProject', { body: { slug: 'walked' } })).toMatchObject({ action: 'linked', project: { hash } });
    expect(await walk('listProjects', { query: { which: 'unfinished', limit: 1 } })).toMatchObject({ projects: [{ hash: hex(7) }] });
    await walk('showProject', { params });
    expect(await walk('setProject', { params, body: { pushPolicy: 'ask' } })).toMatchObject({ project: { pushPolicy: 'ask' } });
    expect(await walk('setQuota', { params, body: { backups: 500 } })).toMatchObject({ quota: { own: { backups: 500 } } });
    expect(await walk('getQuota', { params })).toMatchObject({ quota: { limits: { backups: 500 } } });
    await walk('stopProject', { params: { hash: world.v1.hash } });
    await walk('startProject', { params: { hash: world.v1.hash } });
    const credentials = await walk('getCredentials', { params });
    world.secrets.add((credentials.postgres as { password: string }).password).add(String(credentials.projectJwtSecret));
    const v1Uri = ((await walk('getCredentials', { params: { hash: world.v1.hash } })).postgres as { url: string }).url;
    const attached = await walk('createProject', { body: { slug: 'walked-attached', attach: v1Uri } }, 201);
    await walk('attachProject', { params: { hash: (attached.project as { hash: string }).hash }, body: { uri: v1Uri } });
    await walk('examineProject', { params });
    await walk('askGate', { params, query: { action: 'nuke' } });
    expect(await walk('push', { params, body: { sql: 'create table t (id int); insert into t values (1)' } })).toEqual({ statements: 2 });
    await walk('listMigrations', { params });
    await walk('listExtensions', { params });
    await walk('enableExtension', { params, body: { name: 'citext' } });

    const { backup } = (await walkWork('createBackup', { params, body: { note: 'walked' } })) as { backup: { id: string } };
    const one = { ...params, id: backup.id };
    const { proof } = (await walkWork('verifyBackup', { params: { ...params, id: 'latest' } })) as { proof: Json };
    expect(proof).toMatchObject({ verdict: 'restorable', backupId: backup.id });
    await walk('listBackups', { params, query: { limit: 1 } });
    await walk('showBackup', { params: one });
    await walk('pinBackup', { params: one });
    await walk('unpinBackup', { params: one });
    await walk('getReceipt', { params: one });
    await walk('listReceipts', { params });
    called.add('downloadBackup');
    const download = await fetch(`${world.flux.url}${API_PREFIX}/projects/${hash}/backups/latest/download`, {
      headers: { authorization: `Bearer ${world.flux.token()}` },
    });
    const bytes = Buffer.from(await download.arrayBuffer());
    expect([download.status, bytes.subarray(0, 5).toString()]).toEqual([200, 'PGDMP']);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const imported = await walkWork('importBackup', { params: { hash: world.v1.hash }, query: { sha256 }, bytes });
    expect(imported.backup).toMatchObject({ origin: 'imported', checksumSha256: sha256, tables: 1, rows: 1 });

    await walkWork('restoreBackup', { params: one, body: { inPlace: true } });
    await walkWork('undoRestore', { params });
    const newest = (await walkWork('createBackup', { params })) as { backup: { id: string } };
    await walkWork('verifyBackup', { params: { ...params, id: newest.backup.id } });
    await walkWork('deleteBackup', { params: one });
    await walkWork('resetProject', { params });
    await walk('planMigration', { params });
    await walkWork('migrate', { params, body: { how: 'dump_only' } });

    expect(await walk('listOperations', { query: { project: hash, kind: 'migrate', state: 'succeeded' } })).toMatchObject({
      operations: [{ kind: 'migrate', projectHash: hash }],
      nextCursor: null,
    });
    const { operations } = await walk('listOperations', { query: { limit: 1 } });
    const [{ id } = { id: '' }] = operations as { id: string }[];
    expect(await walk('cancelOperation', { params: { id } })).toMatchObject({ id, state: 'succeeded' });
    await walkWork('nukeProject', { params, body: { skipBackupCheck: true, reason: 'walked' } });
    expect(await walk('listProjects', { query: { which: 'removed' } })).toMatchObject({ projects: [{ hash, lifecycle: 'removed' }] });

    expect([...called].sort()).toEqual(Object.keys(ROUTES).sort());
  });

  it.each([
    ['listProjects', 'projects', {}],
    ['listTokens', 'tokens', {}],
    ['listAudit', 'events', {}],
    ['listOperations', 'operations', {}],
  ] as const)('pages through %s, each row once and in one order', async (name, member, query) => {
    const all = ((await call(name, { query: { ...query, limit: 1000 } })).body[member] as Json[]).slice(0, 5);
    expect(all.length).toBeGreaterThan(1);
    const paged: Json[] = [];
    for (let cursor: unknown = ''; cursor !== null && paged.length < all.length; ) {
      const more = cursor === '' ? {} : { cursor: String(cursor) };
      const { body } = await call(name, { query: { ...query, ...more, limit: 1 } });
      paged.push(...(body[member] as Json[]));
      cursor = body.nextCursor;
    }
    const idOf = (row: Json) => row.id ?? row.hash;
    expect(paged.map(idOf)).toEqual(all.map(idOf));
    expect(await call(name, { query: { cursor: '?' } })).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
  });

  it('shows a token that is limited to some projects nothing of the others', async () => {
    const { token } = await makeToken('admin', { projects: [world.v1.hash] });
    const { operations } = (await call('listOperations', { token, query: { limit: 1000 } })).body as { operations: Json[] };
    expect(new Set(operations.map(({ projectHash }) => projectHash))).toEqual(new Set([world.v1.hash]));
    const { projects } = (await call('listProjects', { token })).body as { projects: Json[] };
    expect(projects.map(({ hash }) => hash)).toEqual([world.v1.hash]);
    expect(await call('listOperations', { token, query: { project: world.v2.hash } })).toMatchObject({ status: 404 });
    expect(await call('listAudit', { token })).toMatchObject({ status: 403 });
    expect((await call('listAudit', { token, query: { project: world.v1.hash } })).status).toBe(200);
    expect(await call('createProject', { token, body: { slug: 'beyond' } })).toMatchObject({ status: 403 });
  });

  it('tells a problem with a type of its own and refuses what it does not know', async () => {
    const refused = await call('createProject', { body: { name: 'never-made' } });
    expect(refused).toMatchObject({
      status: 400,
      body: { type: 'urn:flux:error:invalid_request', code: 'invalid_request', detail: expect.stringContaining('unknown member "name"') },
    });
    for (const [name, route] of Object.entries(ROUTES as Record<string, Route>)) {
      if (route.method !== 'POST') continue;
      const params = { hash: world.v2.hash, id: 'latest' };
      const answer = await call(name as RouteName, { params, body: { unexpectedMember: true } });
      expect({ name, status: answer.status, code: answer.body.code }).toEqual({ name, status: 400, code: 'invalid_request' });
    }
  });

  it('does a POST once for one Idempotency-Key', async () => {
    const sent = { params: { hash: world.v2.hash }, body: { note: 'once' }, headers: { 'idempotency-key': 'v1-once' } };
    const first = await call('createBackup', sent);
    const second = await call('createBackup', sent);
    expect(first.body).toMatchObject({ id: uuid, kind: 'backup_create' });
    expect([second.status, second.body.id, second.headers.get('location')]).toEqual([202, first.body.id, first.headers.get('location')]);
    expect(second.headers.get('location')).toEqual(text);
  });
});
