import { describe, expect, it } from 'vitest';
import { ask, get, post, text, uuid, world } from './world.ts';

describe('errors', () => {
  it('are problems with the whole text in `error`', async () => {
    const answer = await get('/projects/0000000');
    expect(answer.status).toBe(404);
    expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(answer.body).toEqual({
      type: expect.stringContaining('project_not_found'),
      title: text,
      status: 404,
      detail: 'Project not found: you have none with the hash 0000000.',
      error: 'Project not found: you have none with the hash 0000000.\nSee `flux list`.',
      code: 'project_not_found',
      hint: 'See `flux list`.',
      requestId: uuid,
    });
    expect(answer.headers.get('x-request-id')).toBe(answer.body.requestId);
  });

  it.each([
    ['a hash that is none', () => get('/projects/XYZ'), 400, 'invalid_request'],
    ['a backup id that is none', () => get(`/projects/${world.v1.hash}/backups/nine`), 400, 'invalid_request'],
    [
      'a backup that is not there',
      () => get(`/projects/${world.v1.hash}/backups/01890000-0000-7000-8000-000000000000`),
      404,
      'backup_not_found',
    ],
    ['an operation that is not there', () => get('/operations/01890000-0000-7000-8000-000000000000'), 404, 'operation_not_found'],
    ['a route that is not there', () => get('/nothing'), 404, 'not_found'],
    ['a body without its fields', () => post('/push', { slug: 'x' }), 400, 'invalid_request'],
    [
      'a body that is no JSON',
      () => ask('/create', { method: 'POST', body: '{', headers: { 'content-type': 'application/json' } }),
      400,
      'invalid_request',
    ],
    ['a hash of another slug', () => post('/push', { slug: 'other', hash: world.v1.hash, sql: 'select 1' }), 400, 'project_mismatch'],
    ['SQL that fails', () => post('/push', { slug: world.v1.slug, hash: world.v1.hash, sql: 'select nothing' }), 400, 'sql_failed'],
  ])('name %s', async (_what, call, status, code) => {
    const answer = await call();
    expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(answer).toMatchObject({ status, body: { status, code, error: text, detail: text } });
  });

  it('say 409 "already running" to the second of two creates', async () => {
    await world.flux.push(world.v1, 'create table bulk as select i, md5(i::text) as m from generate_series(1, 200000) i');
    const answers = await Promise.all([post(`/projects/${world.v1.hash}/backups`), post(`/projects/${world.v1.hash}/backups`)]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409]);
    const refused = answers.find(({ status }) => status === 409);
    expect(refused?.body).toMatchObject({ code: 'busy', error: expect.stringContaining('already running') });
  });
});
