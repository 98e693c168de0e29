import { describe, expect, it } from 'vitest';
import { existingClient } from './client.ts';
import { List } from './schemas.ts';
import { OTHER_HASH, world } from './world.ts';

describe('an error', () => {
  it.each<[string, number, string, object?]>([
    ['a hash that is none', 400, 'GET /projects/nothing'],
    ['a project that is not there', 404, `GET /projects/${OTHER_HASH}`],
    ['backups of a project that is not there', 404, `GET /projects/${OTHER_HASH}/backups`],
    ['a push to a project that is not there', 404, 'POST /push', { slug: 'x', hash: OTHER_HASH, sql: 'select 1' }],
    ['a removal of a project that is not there', 404, `DELETE /projects/${OTHER_HASH}`],
    ['a route that is not there', 404, 'GET /nowhere'],
    ['an operation that is not there', 404, 'GET /operations/01890000-0000-7000-8000-000000000000'],
    ['a name that cannot be one', 400, 'POST /create', { name: '???' }],
    ['a mode that is none', 400, 'POST /create', { name: 'x', mode: 'v3' }],
    ['an unknown member', 400, 'POST /create', { name: 'x', dryRun: true }],
    ['a body that is missing', 400, 'POST /push'],
  ])('is a problem with a text for people: %s', async (_what, status, request, body) => {
    const problem = await world.client.refused(status, request, body);
    expect(problem.error.startsWith(problem.detail)).toBe(true);
    if (problem.hint !== undefined) expect(problem.error).toContain(problem.hint);
  });

  it('is 404 for a project that the token may not see, and 403 for what it may not do', async () => {
    const limited = async (access: string, projects: string[]) => {
      const response = await world.client.send('POST /tokens', { name: `${access} of one`, access, projects });
      return existingClient(world.flux, ((await response.json()) as { token: string }).token);
    };
    const reader = await limited('read', [world.v1.hash]);
    expect((await reader.refused(404, `GET /projects/${world.v2.hash}`)).error).toMatch(/not found/i);
    await reader.refused(403, `POST /projects/${world.v1.hash}/backups`);
    await reader.refused(403, `DELETE /projects/${world.v1.hash}?skipBackupCheck=1`);
  });

  it('is 401 without a token, 413 for what is too large, and 429 with a time to wait for many wrong tokens', async () => {
    await world.client.refused(413, 'POST /create', { name: 'x'.repeat(2 ** 20) });
    const nobody = existingClient(world.flux, `flx_live_${'0'.repeat(32)}_0000`);
    await nobody.refused(401, 'GET /list');
    let last = await nobody.send('GET /list');
    for (let tries = 0; tries < 40 && last.status === 401; tries += 1) last = await nobody.send('GET /list');
    expect([last.status, Number(last.headers.get('retry-after')) > 0]).toEqual([429, true]);
    expect((await nobody.refused(429, 'GET /list')).error).toContain('wait');
    await world.client.ask(List, 'GET /list');
  });
});
