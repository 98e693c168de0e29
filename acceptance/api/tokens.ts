import { describe, expect, it } from 'vitest';
import { pause } from '../harness/process.ts';
import { ask, get, type Json, makeToken, post, text, time, uuid, world } from './world.ts';

describe('tokens', () => {
  it('of level read look and download, and change nothing', async () => {
    const { token } = await makeToken('read');
    const list = await get(`/projects/${world.v1.hash}/backups`, token);
    expect(list.status).toBe(200);
    for (const item of list.body.backups as Json[]) expect(item).not.toHaveProperty('primaryArtifactRelativePath');
    expect(JSON.stringify(list.body)).not.toContain(world.flux.folder);
    const download = await world.flux.api(`/projects/${world.v1.hash}/backups/latest/download`, {
      headers: { authorization: `Bearer ${token}` },
    });
    expect([200, 409]).toContain(download.status);
    await download.body?.cancel();
    for (const path of [`/projects/${world.v1.hash}/backups`, `/projects/${world.v1.hash}/backups/latest/verify`]) {
      const refused = await post(path, undefined, {}, token);
      expect(refused).toMatchObject({
        status: 403,
        body: { code: 'forbidden', error: expect.stringContaining('access level read; this needs write') },
      });
    }
    expect((await post('/push', { slug: world.v1.slug, hash: world.v1.hash, sql: 'drop table t' }, {}, token)).status).toBe(403);
    expect((await get(`/projects/${world.v1.hash}/credentials`, token)).status).toBe(403);
    expect((await get('/tokens', token)).status).toBe(403);
    expect((await get('/auth/verify', token)).body).toMatchObject({ cliRole: 'operator', token: { access: 'read' } });
  });

  it('of level write make backups but no tokens', async () => {
    const { token } = await makeToken('write');
    const created = await post(`/projects/${world.v2.hash}/backups`, {}, {}, token);
    expect(created).toMatchObject({ status: 200, body: { backup: { status: 'complete' } } });
    expect(created.body.backup).not.toHaveProperty('primaryArtifactRelativePath');
    expect((await post('/tokens', { name: 'more', access: 'admin' }, {}, token)).status).toBe(403);
  });

  it('for some projects do not know of others', async () => {
    const { token } = await makeToken('write', { projects: [world.v1.hash] });
    expect(((await get('/list', token)).body as unknown as Json[]).map(({ hash }) => hash)).toEqual([world.v1.hash]);
    expect((await get(`/projects/${world.v1.hash}`, token)).status).toBe(200);
    for (const path of ['', '/backups', '/credentials', '/migrations', '/backups/latest/download']) {
      expect(await get(`/projects/${world.v2.hash}${path}`, token)).toMatchObject({ status: 404, body: { code: 'project_not_found' } });
    }
    const operation = await post(`/projects/${world.v2.hash}/backups`, {}, { prefer: 'respond-async' });
    expect((await get(`/operations/${operation.body.id}`, token)).status).toBe(404);
    expect((await post('/create', { name: 'beyond' }, {}, token)).status).toBe(403);
    expect((await post('/init', { slug: world.v2.slug }, {}, token)).status).toBe(409);
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
    for (const secret of world.secrets) expect(JSON.stringify(body)).not.toContain(secret);
    expect((body.tokens as Json[])[0]).toMatchObject({ id: uuid, name: text, access: text, createdAt: time });
  });
});
