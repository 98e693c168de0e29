import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Flux } from './harness/flux.ts';
import { processesOf, startFlux, type TestProject } from './harness/flux.ts';
import { pause } from './harness/process.ts';

type Json = Record<string, unknown>;

let flux: Flux;
let v1: TestProject;
let v2: TestProject;
/** Everything secret that passed through this file; none of it may be in a log. */
const secrets = new Set<string>();

const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
const text = expect.stringMatching(/./);
const hex = (digits: number) => expect.stringMatching(new RegExp(`^[0-9a-f]{${digits}}$`));
const uuid = expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);

async function get(path: string, token?: string): Promise<{ status: number; body: Json; headers: Headers }> {
  return ask(path, { method: 'GET' }, token);
}
async function post(path: string, body?: object, headers: Record<string, string> = {}, token?: string) {
  const json = body === undefined ? {} : { 'content-type': 'application/json' };
  return ask(path, { method: 'POST', headers: { ...json, ...headers }, body: body === undefined ? null : JSON.stringify(body) }, token);
}
async function ask(path: string, init: RequestInit, token?: string) {
  const answer = await flux.api(path, {
    ...init,
    headers: { ...(init.headers as object), ...(token && { authorization: `Bearer ${token}` }) },
  });
  return { status: answer.status, body: (await answer.json()) as Json, headers: answer.headers };
}
async function makeToken(access: string, more: { projects?: string[]; expiresAt?: string } = {}) {
  const { status, body } = await post('/tokens', { name: `${access} token`, access, ...more });
  expect(status).toBe(201);
  secrets.add(String(body.token));
  return { token: String(body.token), id: String((body.item as Json).id) };
}

beforeAll(async () => {
  flux = await startFlux({ env: { FLUX_LOG_LEVEL: 'trace' } });
  secrets.add(flux.token());
  [v1, v2] = await Promise.all([flux.createProject('dedicated-one', 'v1_dedicated'), flux.createProject('tenant-one', 'v2_shared')]);
  await Promise.all([v1, v2].map((project) => flux.push(project, 'create table t (id int primary key); insert into t values (1), (2);')));
  for (const { uri } of [v1, v2]) secrets.add(new URL(uri).password);
});
afterAll(() => flux?.[Symbol.asyncDispose]());

describe('what existing synchronous clients read', () => {
  it('says who is asking', async () => {
    const { status, body } = await get('/auth/verify');
    expect(status).toBe(200);
    expect(body).toMatchObject({ ok: true, user: 'admin', plan: 'pro', defaultMode: 'v2_shared', cliRole: 'admin' });
  });

  it('lists projects by slug', async () => {
    const { status, body } = await get('/list');
    expect(status).toBe(200);
    const row = (slug: string, hash: string) => ({ slug, hash, status: 'running', apiUrl: flux.url, lifecycleState: 'active' });
    expect(body).toMatchObject([row('dedicated-one', v1.hash), row('tenant-one', v2.hash)]);
  });

  it('creates a project, and refuses its name to another', async () => {
    const { status, body } = await post('/create', { name: 'made-by-api', mode: 'v2_shared' });
    expect(status).toBe(201);
    expect(body).toMatchObject({
      summary: { slug: 'made-by-api', hash: hex(7), status: 'running', apiUrl: flux.url, lifecycleState: 'active' },
      mode: 'v2_shared',
      projectJwtSecret: text,
      secrets: { pgrstJwtSecret: text, postgresPassword: text, postgresContainerHost: text, note: text },
    });
    for (const name of ['pgrstJwtSecret', 'postgresPassword']) secrets.add(String((body.secrets as Json)[name]));
    const again = await post('/create', { name: 'made-by-api' });
    expect(again).toMatchObject({ status: 409, body: { code: 'name_taken', error: expect.stringContaining('made-by-api') } });
  });

  it('links a folder to a project as often as one likes', async () => {
    const first = await post('/init', { slug: 'linked', mode: 'v2_shared' });
    expect(first.status).toBe(200);
    expect(first.body).toEqual({
      action: 'created',
      slug: 'linked',
      hash: hex(7),
      mode: 'v2_shared',
      apiUrl: flux.url,
      apiSchema: expect.stringMatching(/^t_[0-9a-f]{12}_api$/),
    });
    expect((await post('/init', { slug: 'linked' })).body).toEqual({ ...first.body, action: 'linked' });
  });

  it('shows a project and its credentials', async () => {
    expect((await get(`/projects/${v1.hash}`)).body).toEqual({ slug: v1.slug, hash: v1.hash, mode: 'v1_dedicated', apiSchema: 'public' });
    const dedicated = (await get(`/projects/${v1.hash}/credentials`)).body;
    const { slug, hash, uri } = v1;
    expect(dedicated).toMatchObject({
      mode: 'v1_dedicated',
      slug,
      hash,
      postgresConnectionString: uri,
      anonKey: text,
      serviceRoleKey: text,
    });
    const pooled = (await get(`/projects/${v2.hash}/credentials`)).body;
    expect(pooled).toMatchObject({
      mode: 'v2_shared',
      slug: v2.slug,
      hash: v2.hash,
      postgresConnectionString: v2.uri,
      projectJwtSecret: text,
      note: text,
    });
    for (const secret of [dedicated.anonKey, dedicated.serviceRoleKey, pooled.projectJwtSecret]) secrets.add(String(secret));
  });

  it('pushes SQL, once per migration, and lists the ledger', async () => {
    const sql = 'create table pushed (id int);';
    const checksum = createHash('sha256').update(sql).digest('hex');
    const migration = { version: '7', filename: '7_pushed.sql', checksum };
    const moved = { tablesMoved: 0, sequencesMoved: 0, viewsMoved: 0 };
    for (const { slug, hash } of [v1, v2]) {
      const first = await post('/push', { slug, hash, sql, migration });
      expect(first).toMatchObject({ status: 200, body: { ok: true, ...moved } });
      const second = await post('/push', { slug, hash, sql, migration });
      expect(second).toMatchObject({ status: 200, body: { ok: true, skipped: true, ...moved } });
      const ledger = await get(`/projects/${hash}/migrations`);
      expect(ledger.body).toEqual({ applied: [{ ...migration, appliedAt: time }] });
      const edited = await post('/push', {
        slug,
        hash,
        sql: `${sql} `,
        migration: { ...migration, checksum: createHash('sha256').update(`${sql} `).digest('hex') },
      });
      expect(edited).toMatchObject({ status: 409, body: { code: 'migration_conflict' } });
    }
  });

  it('creates, lists and verifies backups in one answer each', async () => {
    for (const project of [v1, v2]) {
      const base = `/projects/${project.hash}/backups`;
      const created = await post(base);
      expect(created.status).toBe(200);
      const item = {
        id: uuid,
        kind: project === v1 ? 'project_db' : 'tenant_export',
        format: 'pg_custom',
        status: 'complete',
        sizeBytes: expect.any(Number),
        checksumSha256: hex(64),
        createdAt: time,
        completedAt: time,
        tier: 'not_restore_verified',
        label: project === v1 ? 'Created, not restore-verified' : 'Created tenant export, not restore-verified',
        localArtifactStatus: 'present',
        primaryArtifactRelativePath: expect.stringMatching(/^[0-9a-f-]{36}\/[0-9a-f-]{36}\.dump$/),
        artifactValidationStatus: 'artifact_valid',
        artifactValidationAt: time,
        artifactValidationError: null,
        restoreVerificationStatus: 'pending',
        restoreVerificationAt: null,
        restoreVerificationError: null,
        offsiteStatus: 'not_configured',
        offsiteR2Status: 'not_configured',
        expiresAt: null,
        pinned: false,
        note: null,
        postgresVersion: expect.stringMatching(/^\d+\.\d+/),
      };
      expect(created.body).toMatchObject({ backup: item });
      const { id } = created.body.backup as { id: string };

      const verified = await post(`${base}/latest/verify`);
      expect(verified).toMatchObject({ status: 200, body: { ok: true, backupId: id, restoreVerificationStatus: 'restore_verified' } });
      const listed = await get(`${base}?limit=1`);
      expect(listed.body).toMatchObject({
        backups: [
          { ...item, id, tier: 'restorable', label: text, restoreVerificationStatus: 'restore_verified', restoreVerificationAt: time },
        ],
        reconciledAt: time,
        nextCursor: null,
        freshness: { latestBackupId: id, tier: 'restorable', verification: 'Restore-verified', safeDestructiveActions: 'Allowed' },
      });
    }
  });

  it('answers a failed verification with 422 and the proof', async () => {
    const base = `/projects/${v1.hash}/backups`;
    const created = (await post(base)).body.backup as { id: string; primaryArtifactRelativePath: string };
    const path = join(flux.dataFolder, 'backups', created.primaryArtifactRelativePath);
    const bytes = readFileSync(path);
    writeFileSync(path, bytes.subarray(0, bytes.length - 9));

    const verified = await post(`${base}/${created.id}/verify`);
    expect(verified).toMatchObject({
      status: 422,
      body: {
        code: 'verification_failed',
        error: expect.stringMatching(/^The artifact has \d+ bytes; \d+ were written\.\n/),
        details: { proof: { verdict: 'failed' } },
      },
    });
    writeFileSync(path, bytes);
    expect((await post(`${base}/${created.id}/verify`)).status).toBe(200);
  });

  it('pages through backups with a cursor', async () => {
    const base = `/projects/${v1.hash}/backups`;
    const first = await get(`${base}?limit=1`);
    expect(first.body.nextCursor).toEqual(text);
    const second = await get(`${base}?limit=1&cursor=${first.body.nextCursor}`);
    const ids = [first, second].map(({ body }) => (body.backups as { id: string }[])[0]?.id);
    expect(new Set(ids).size).toBe(2);
    expect(await get(`${base}?cursor=x`)).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
  });
});

describe('errors', () => {
  it('are problems with the whole text in `error`', async () => {
    const answer = await get('/projects/0000000');
    expect(answer.status).toBe(404);
    expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(answer.body).toEqual({
      type: expect.stringContaining('project_not_found'),
      title: text,
      status: 404,
      detail: 'No project of yours has the hash 0000000.',
      error: 'No project of yours has the hash 0000000.\nSee `flux list`.',
      code: 'project_not_found',
      hint: 'See `flux list`.',
      requestId: uuid,
    });
    expect(answer.headers.get('x-request-id')).toBe(answer.body.requestId);
  });

  it.each([
    ['a hash that is none', () => get('/projects/XYZ'), 400, 'invalid_request'],
    ['a backup id that is none', () => get(`/projects/${v1.hash}/backups/nine`), 400, 'invalid_request'],
    ['a backup that is not there', () => get(`/projects/${v1.hash}/backups/01890000-0000-7000-8000-000000000000`), 404, 'backup_not_found'],
    ['an operation that is not there', () => get('/operations/01890000-0000-7000-8000-000000000000'), 404, 'operation_not_found'],
    ['a route that is not there', () => get('/nothing'), 404, 'not_found'],
    ['a body without its fields', () => post('/push', { slug: 'x' }), 400, 'invalid_request'],
    [
      'a body that is no JSON',
      () => ask('/create', { method: 'POST', body: '{', headers: { 'content-type': 'application/json' } }),
      400,
      'invalid_request',
    ],
    ['a hash of another slug', () => post('/push', { slug: 'other', hash: v1.hash, sql: 'select 1' }), 400, 'project_mismatch'],
    ['SQL that fails', () => post('/push', { slug: v1.slug, hash: v1.hash, sql: 'select nothing' }), 400, 'sql_failed'],
  ])('name %s', async (_what, call, status, code) => {
    const answer = await call();
    expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(answer).toMatchObject({ status, body: { status, code, error: text, detail: text } });
  });

  it('say 409 "already running" to the second of two creates', async () => {
    await flux.push(v1, 'create table bulk as select i, md5(i::text) as m from generate_series(1, 200000) i');
    const answers = await Promise.all([post(`/projects/${v1.hash}/backups`), post(`/projects/${v1.hash}/backups`)]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409]);
    const refused = answers.find(({ status }) => status === 409);
    expect(refused?.body).toMatchObject({ code: 'busy', error: expect.stringContaining('already running') });
  });
});

describe('download', () => {
  let url: string;
  let bytes: Buffer;
  let id: string;
  let path: string;
  const etag = () => `"${createHash('sha256').update(bytes).digest('hex')}"`;

  beforeAll(async () => {
    const { backups } = (await get(`/projects/${v2.hash}/backups?limit=1`)).body as {
      backups: { id: string; primaryArtifactRelativePath: string }[];
    };
    id = backups[0]?.id ?? '';
    path = join(flux.dataFolder, 'backups', backups[0]?.primaryArtifactRelativePath ?? '');
    bytes = readFileSync(path);
    url = `/projects/${v2.hash}/backups/${id}/download`;
  });
  const fetchPart = async (headers: Record<string, string>) => {
    const answer = await flux.api(url, { headers });
    return { status: answer.status, headers: answer.headers, bytes: Buffer.from(await answer.arrayBuffer()) };
  };

  it('sends the whole with everything that is needed to check it', async () => {
    const whole = await fetchPart({});
    expect(whole.status).toBe(200);
    expect(Object.fromEntries(whole.headers)).toMatchObject({
      'content-type': 'application/octet-stream',
      'content-length': String(bytes.length),
      'accept-ranges': 'bytes',
      'content-disposition': `attachment; filename="${v2.hash}-${id}.dump"`,
      'repr-digest': `sha-256=:${createHash('sha256').update(bytes).digest('base64')}:`,
      etag: etag(),
    });
    expect(whole.bytes.equals(bytes)).toBe(true);
    const latest = await flux.api(`/projects/${v2.hash}/backups/latest/download`);
    expect(latest.headers.get('etag')).toBe(etag());
    await latest.body?.cancel();
  });

  it.each([
    ['the first bytes', 'bytes=0-99', 0, 99],
    ['the rest from a byte on', 'bytes=100-', 100, -1],
    ['the last bytes', 'bytes=-10', -10, -1],
    ['more than there is', 'bytes=5-99999999', 5, -1],
  ])('sends %s', async (_what, range, from, to) => {
    const part = await fetchPart({ range });
    const [start, end] = [from < 0 ? bytes.length + from : from, to < 0 ? bytes.length + to : to];
    expect(part.status).toBe(206);
    expect(part.headers.get('content-range')).toBe(`bytes ${start}-${end}/${bytes.length}`);
    expect(part.headers.get('content-length')).toBe(String(end - start + 1));
    expect(part.headers.get('etag')).toBe(etag());
    expect(part.bytes.equals(bytes.subarray(start, end + 1))).toBe(true);
  });

  it('says 416 with the length to a range behind the end', async () => {
    const answer = await flux.api(url, { headers: { range: `bytes=${bytes.length}-` } });
    expect(answer.status).toBe(416);
    expect(answer.headers.get('content-range')).toBe(`bytes */${bytes.length}`);
    expect(await answer.json()).toMatchObject({ code: 'range_not_satisfiable', error: text });
  });

  it('sends a part only of the very bytes that If-Range names', async () => {
    expect((await fetchPart({ range: 'bytes=10-19', 'if-range': etag() })).status).toBe(206);
    const other = await fetchPart({ range: 'bytes=10-19', 'if-range': '"another"' });
    expect(other.status).toBe(200);
    expect(other.bytes.equals(bytes)).toBe(true);
  });

  it('says 410 and that it was not Flux when the file is gone', async () => {
    renameSync(path, `${path}.away`);
    const answer = await get(url);
    renameSync(`${path}.away`, path);
    expect(answer).toMatchObject({
      status: 410,
      body: { code: 'artifact_gone', error: expect.stringContaining('Flux did not remove it'), details: { removedBy: null } },
    });
  });
});

describe('long work', () => {
  interface Event {
    id: number;
    event: string;
    data: Json;
  }
  async function readEvents(id: string, lastEventId?: number): Promise<Event[]> {
    const answer = await flux.api(`/operations/${id}/events`, {
      headers: lastEventId === undefined ? {} : { 'last-event-id': String(lastEventId) },
    });
    expect(answer.headers.get('content-type')).toBe('text/event-stream');
    return (await answer.text())
      .split('\n\n')
      .filter((block) => block.startsWith('id:'))
      .map((block) => {
        const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1] ?? '';
        return { id: Number(field('id')), event: field('event'), data: JSON.parse(field('data')) as Json };
      });
  }

  it('answers 202 with the operation to those who prefer so, and tells its events, again from any of them', async () => {
    const started = await post(`/projects/${v1.hash}/backups`, { note: 'watched' }, { prefer: 'respond-async' });
    expect(started.status).toBe(202);
    const id = String(started.body.id);
    expect(started.headers.get('location')).toBe(`/api/cli/v1/operations/${id}`);
    expect(started.body).toMatchObject({
      id: uuid,
      kind: 'backup_create',
      state: expect.stringMatching(/^(queued|running)$/),
      projectHash: v1.hash,
    });

    const events = await readEvents(id);
    expect(events.map((event) => event.id)).toEqual(events.map((_, index) => index + 1));
    expect(events.at(-1)).toMatchObject({
      event: 'state',
      data: { operation: { state: 'succeeded', result: { backup: { note: 'watched', status: 'complete' } } } },
    });
    expect(events.length).toBeGreaterThan(2);
    const [first, ...later] = events;
    expect(first).toMatchObject({ event: 'progress', data: { progress: { phase: text, message: text } } });
    const again = await readEvents(id, first?.id);
    expect(again.map(({ id: seq, event }) => [seq, event])).toEqual(later.map(({ id: seq, event }) => [seq, event]));

    const operation = await get(`/operations/${id}`);
    expect(operation.body).toMatchObject({ state: 'succeeded', finishedAt: time, result: { backup: { status: 'complete' } } });
  });

  it('is cancelled on request, and leaves a failed row', async () => {
    const started = await post(`/projects/${v1.hash}/backups`, {}, { prefer: 'respond-async' });
    const cancelled = await post(`/operations/${started.body.id}/cancel`);
    expect(cancelled.status).toBe(200);
    const [last] = (await readEvents(String(started.body.id))).slice(-1);
    const { state } = (last?.data.operation ?? {}) as Json;
    const newest = ((await get(`/projects/${v1.hash}/backups?limit=1`)).body.backups as Json[])[0];
    // It may have been faster than the request.
    expect([state, newest?.status]).toEqual(state === 'succeeded' ? ['succeeded', 'complete'] : ['cancelled', 'failed']);
  });

  it('is done once for one Idempotency-Key', async () => {
    const base = `/projects/${v2.hash}/backups`;
    const count = async () => ((await get(base)).body.backups as Json[]).length;
    const before = await count();
    const first = await post(base, { note: 'once' }, { 'idempotency-key': 'one' });
    const second = await post(base, { note: 'once' }, { 'idempotency-key': 'one' });
    expect(second).toMatchObject({ status: 200, body: first.body });
    expect(await count()).toBe(before + 1);
    expect(await post(base, { note: 'else' }, { 'idempotency-key': 'one' })).toMatchObject({
      status: 400,
      body: { code: 'invalid_request' },
    });

    const asked = await post(base, {}, { 'idempotency-key': 'two', prefer: 'respond-async' });
    const again = await post(base, {}, { 'idempotency-key': 'two', prefer: 'respond-async' });
    expect(again.body.id).toBe(asked.body.id);
    expect([again.status, again.headers.get('location')]).toEqual([202, asked.headers.get('location')]);
    await readEvents(String(asked.body.id));
    expect(await count()).toBe(before + 2);
  });
});

describe('tokens', () => {
  it('of level read look and download, and change nothing', async () => {
    const { token } = await makeToken('read');
    const list = await get(`/projects/${v1.hash}/backups`, token);
    expect(list.status).toBe(200);
    for (const item of list.body.backups as Json[]) expect(item.primaryArtifactRelativePath).toBeNull();
    expect(JSON.stringify(list.body)).not.toContain(flux.folder);
    const download = await flux.api(`/projects/${v1.hash}/backups/latest/download`, { headers: { authorization: `Bearer ${token}` } });
    expect([200, 409]).toContain(download.status);
    await download.body?.cancel();
    for (const path of [`/projects/${v1.hash}/backups`, `/projects/${v1.hash}/backups/latest/verify`]) {
      const refused = await post(path, undefined, {}, token);
      expect(refused).toMatchObject({
        status: 403,
        body: { code: 'forbidden', error: expect.stringContaining('access level read; this needs write') },
      });
    }
    expect((await post('/push', { slug: v1.slug, hash: v1.hash, sql: 'drop table t' }, {}, token)).status).toBe(403);
    expect((await get(`/projects/${v1.hash}/credentials`, token)).status).toBe(403);
    expect((await get('/tokens', token)).status).toBe(403);
    expect((await get('/auth/verify', token)).body).toMatchObject({ cliRole: 'operator', token: { access: 'read' } });
  });

  it('of level write make backups but no tokens', async () => {
    const { token } = await makeToken('write');
    const created = await post(`/projects/${v2.hash}/backups`, {}, {}, token);
    expect(created).toMatchObject({ status: 200, body: { backup: { primaryArtifactRelativePath: null } } });
    expect((await post('/tokens', { name: 'more', access: 'admin' }, {}, token)).status).toBe(403);
  });

  it('for some projects do not know of others', async () => {
    const { token } = await makeToken('write', { projects: [v1.hash] });
    expect(((await get('/list', token)).body as unknown as Json[]).map(({ hash }) => hash)).toEqual([v1.hash]);
    expect((await get(`/projects/${v1.hash}`, token)).status).toBe(200);
    for (const path of ['', '/backups', '/credentials', '/migrations', '/backups/latest/download']) {
      expect(await get(`/projects/${v2.hash}${path}`, token)).toMatchObject({ status: 404, body: { code: 'project_not_found' } });
    }
    const operation = await post(`/projects/${v2.hash}/backups`, {}, { prefer: 'respond-async' });
    expect((await get(`/operations/${operation.body.id}`, token)).status).toBe(404);
    expect((await post('/create', { name: 'beyond' }, {}, token)).status).toBe(403);
    expect((await post('/init', { slug: v2.slug }, {}, token)).status).toBe(409);
    expect((await post('/init', { slug: 'beyond' }, {}, token)).status).toBe(403);
  });

  it('end when they expire or are revoked, and no good one is shut out by wrong ones', async () => {
    const short = await makeToken('read', { expiresAt: new Date(Date.now() + 400).toISOString() });
    const revoked = await makeToken('read');
    expect((await get('/list', revoked.token)).status).toBe(200);
    expect((await ask(`/tokens/${revoked.id}`, { method: 'DELETE' })).status).toBe(200);
    await pause(450);

    expect(await get('/list', short.token)).toMatchObject({
      status: 401,
      body: { code: 'not_authenticated', error: expect.stringContaining('expired at') },
    });
    const refused = await get('/list', revoked.token);
    expect(refused).toMatchObject({ status: 401, body: { code: 'not_authenticated', error: expect.stringContaining('was revoked at') } });
    expect(refused.headers.get('www-authenticate')).toBe('Bearer');
    let last = refused;
    for (let i = 0; i < 40 && last.status !== 429; i++) last = await get('/list', revoked.token);
    expect(last).toMatchObject({ status: 429, body: { code: 'rate_limited' } });
    expect(Number(last.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await get('/list')).status).toBe(200);
  });

  it('are listed without themselves', async () => {
    const { body } = await get('/tokens');
    for (const secret of secrets) expect(JSON.stringify(body)).not.toContain(secret);
    expect((body.tokens as Json[])[0]).toMatchObject({ id: uuid, name: text, access: text, createdAt: time });
  });
});

it('describes every route as OpenAPI', async () => {
  const document = (await (await fetch(`${flux.url}/api/openapi.json`)).json()) as {
    openapi: string;
    paths: Record<string, Record<string, Json>>;
  };
  expect(document.openapi).toBe('3.1.0');
  const routes = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  expect(routes).toEqual(
    expect.arrayContaining(
      [
        'GET /auth/verify',
        'GET /list',
        'POST /create',
        'POST /init',
        'GET /projects/{hash}',
        'GET /projects/{hash}/credentials',
        'GET /projects/{hash}/backups',
        'POST /projects/{hash}/backups',
        'GET /projects/{hash}/backups/{id}',
        'POST /projects/{hash}/backups/{id}/verify',
        'GET /projects/{hash}/backups/{id}/download',
        'POST /push',
        'GET /projects/{hash}/migrations',
        'GET /operations/{id}',
        'GET /operations/{id}/events',
        'POST /operations/{id}/cancel',
        'GET /tokens',
        'POST /tokens',
        'DELETE /tokens/{id}',
      ].map((route) => route.replace(' ', ' /api/cli/v1')),
    ),
  );
  // Each of them is there, and none of them answers somebody without a token.
  for (const route of routes) {
    const [method = '', path = ''] = route.split(' ');
    const answer = await fetch(flux.url + path.replace(/\{\w+\}/g, v1.hash), { method });
    expect([route, answer.status]).toEqual([route, 401]);
    await answer.body?.cancel();
  }
});

it('answers supervisors without a token and without a word about projects', async () => {
  for (const path of ['/healthz', '/readyz']) expect(await (await fetch(flux.url + path)).json()).toMatchObject({ ok: true });
  const metrics = await (await fetch(`${flux.url}/metrics`)).text();
  expect(metrics).toMatch(/^# HELP /m);
  for (const word of [v1.slug, v1.hash, v2.slug, v2.hash]) expect(metrics).not.toContain(word);
});

it('writes no secret into a log or a command line, whatever the level', () => {
  expect(secrets.size).toBeGreaterThan(8);
  const logs = readdirSync(join(flux.dataFolder, 'instances')).flatMap((id) => {
    const folder = join(flux.dataFolder, 'instances', id, 'log');
    return readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'));
  });
  expect(flux.log().length).toBeGreaterThan(1000);
  expect(logs.length).toBeGreaterThanOrEqual(3);
  const commands = processesOf(flux.folder).map(({ command }) => command);
  for (const secret of secrets) {
    for (const written of [flux.log(), ...logs, ...commands]) expect(written.includes(secret)).toBe(false);
  }
});
