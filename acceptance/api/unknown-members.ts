import { CLI_V1_ROUTES } from '@flux/contract/cli-v1/routes';
import type { Route } from '@flux/contract/route';
import { beforeAll, describe, expect, it } from 'vitest';
import type { TestProject } from '../harness/flux.ts';
import { psql } from '../harness/postgres.ts';
import { ask, get, post, world } from './world.ts';

const send = (method: string, path: string, body?: unknown) =>
  ask(path, { method, ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }) });

describe('a request that says more than its route knows', () => {
  let project: TestProject & { schema: string };
  let backupId: string;
  beforeAll(async () => {
    const made = await world.flux.createProject('guarded', 'v2_shared');
    const { body } = await get(`/projects/${made.hash}`);
    project = { ...made, schema: String(body.apiSchema) };
    world.secrets.add(new URL(made.uri).password);
    await world.flux.push(project, 'create table acct (bal int); insert into acct values (100);');
    backupId = ((await post(`/projects/${project.hash}/backups`)).body.backup as { id: string }).id;
  });
  const state = async () => ({
    rows: await psql(project.uri, 'select bal from acct'),
    mode: (await get(`/projects/${project.hash}`)).body.mode,
    backups: ((await get(`/projects/${project.hash}/backups`)).body.backups as object[]).length,
    tokens: ((await get('/tokens')).body.tokens as object[]).length,
    keys: ((await get('/keys')).body.keys as object[]).length,
    projects: (await get('/list')).body,
    ledger: (await get(`/projects/${project.hash}/migrations`)).body,
  });

  it('is refused by every route that changes something, in the body and in the query, and changes nothing', async () => {
    const { slug, hash } = project;
    const bodies: Record<string, object> = {
      createProject: { name: 'never-made' },
      initProject: { slug: 'never-made' },
      push: { slug, hash, sql: 'delete from acct' },
      migrate: { slug, hash, yes: true },
      createToken: { name: 'never-made' },
      restoreBackup: { into: 'never-made' },
    };
    const before = await state();
    const routes = Object.entries(CLI_V1_ROUTES as Record<string, Route>).filter(([, { method }]) => method !== 'GET');
    for (const [name, { method, path }] of routes) {
      const filled = path.replace(':hash', hash).replace(':id', backupId);
      const body = bodies[name] ?? (method === 'DELETE' ? undefined : {});
      for (const answer of [
        await send(method, filled, { ...body, unexpectedMember: true }),
        await send(method, `${filled}?unexpectedMember=1`, body),
      ]) {
        const { status } = answer;
        expect({ name, status, ...answer.body }).toMatchObject({ name, status: 400, code: 'invalid_request' });
        expect(answer.body.error).toContain('unknown member "unexpectedMember"');
      }
    }
    expect(await state()).toEqual(before);
  });

  it.each([
    ['a dry run of a reset', 'POST', '/reset', { dryRun: true }, 'unknown member "dryRun"'],
    ['a dry run of a removal', 'DELETE', '?dryRun=1', undefined, 'unknown member "dryRun"'],
    ['an override in the body', 'DELETE', '', { skipBackupCheck: true }, 'unknown member "skipBackupCheck" (none are allowed here)'],
    ['a misspelled override', 'DELETE', '?skipBackupChek=true', undefined, '(the nearest known one is "skipBackupCheck")'],
    ['a restore with two spellings', 'POST', '/backups/latest/restore', { inplace: true }, '(the nearest known one is "inPlace")'],
    ['a stop for later', 'POST', '/stop', { at: 'night' }, 'unknown member "at" (none are allowed here)'],
    ['a list instead of members', 'POST', '/stop', ['dryRun'], 'expected object'],
    ['a prototype', 'POST', '/reset', JSON.parse('{"__proto__":{"dryRun":true}}'), 'unknown member "__proto__"'],
  ])('is told what is unknown: %s', async (_what, method, path, body, words) => {
    const answer = await send(method, `/projects/${project.hash}${path}`, body);
    expect(answer).toMatchObject({ status: 400, body: { error: expect.stringContaining(words) } });
    expect(await psql(project.uri, 'select bal from acct')).toBe('100\n');
  });

  it('names the nearest member of what lies inside, and no more than a few of many', async () => {
    const { slug, hash } = project;
    const inside = await post('/push', { slug, hash, sql: '', migration: { version: '1', filename: '1.sql', checksum: '', chksum: '' } });
    expect(inside.body.error).toContain('unknown member "migration.chksum" (the nearest known one is "migration.checksum")');
    const many = await post(`/projects/${hash}/reset`, Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`${i}`.repeat(200), 1])));
    expect(many.body.error).toContain('995 more unknown members');
    expect(String(many.body.error).length).toBeLessThan(2000);
  });

  it('takes an empty body, and none', async () => {
    for (const body of [undefined, {}])
      expect((await send('POST', `/projects/${project.hash}/backups/latest/unpin`, body)).status).toBe(200);
  });
});

describe('a migration over the API', () => {
  let project: TestProject & { schema: string };
  const migrate = (members: object) => post('/migrate', { slug: project.slug, hash: project.hash, ...members });
  beforeAll(async () => {
    const made = await world.flux.createProject('asked-to-move', 'v2_shared');
    project = { ...made, schema: String((await get(`/projects/${made.hash}`)).body.apiSchema) };
    world.secrets.add(new URL(made.uri).password);
    await world.flux.push(project, 'create table acct (bal int); insert into acct values (100);');
  });
  const expectPooled = async () => {
    expect((await get(`/projects/${project.hash}`)).body).toMatchObject({ mode: 'v2_shared', apiSchema: project.schema });
    expect(await psql(project.uri, `select bal from ${project.schema}.acct`)).toBe('100\n');
  };

  it.each([{ dryRun: true }, { dryRun: true, yes: true, dropSourceAfter: true }, { how: 'dry_run' }])(
    'is planned and nothing else with %o',
    async (members) => {
      const planned = await migrate(members);
      expect(planned).toMatchObject({ status: 200, body: { ok: true, plan: { how: 'dry_run', to: 'v1_dedicated' } } });
      expect(planned.body.result).toBeUndefined();
      expect((await get(`/projects/${project.hash}/backups`)).body.backups).toEqual([]);
      await expectPooled();
    },
  );

  it.each([
    [{}, 'Refusing to migrate without --yes'],
    [{ yes: false }, 'Refusing to migrate without --yes'],
    [{ dumpOnly: true }, 'Refusing to migrate without --yes'],
    [{ staged: true, yes: false }, 'Refusing to migrate without --yes'],
    [{ dryRun: false, dropSourceAfter: true, skipBackupCheck: true }, 'Refusing to migrate without --yes'],
    [{ yes: true, dryRun: 'true' }, 'dryRun: '],
    [{ yes: true, dryRun: 1 }, 'dryRun: '],
    [{ yes: true, dryRun: null }, 'dryRun: '],
    [{ yes: 'true' }, 'yes: '],
    [{ yes: true, dryrun: true }, 'unknown member "dryrun" (the nearest known one is "dryRun")'],
    [{ yes: true, dry_run: true }, 'the nearest known one is "dryRun"'],
    [{ yes: true, dryRun: true, dumpOnly: true }, 'contradict each other'],
    [{ yes: true, how: 'move', staged: true }, 'contradict each other'],
    [{ yes: true, lockWrites: true, noLockWrites: true }, 'contradict each other'],
    [{ yes: true, newJwtSecret: true }, 'keeps the JWT secret'],
  ])('is refused with %o', async (members, words) => {
    expect(await migrate(members)).toMatchObject({ status: 400, body: { code: 'invalid_request', error: expect.stringContaining(words) } });
    await expectPooled();
  });

  it('is dumped, then staged, and stays in the pool', async () => {
    expect(await migrate({ dumpOnly: true, yes: true })).toMatchObject({ status: 200, body: { result: { did: 'dumped' } } });
    await expectPooled();
    expect(await migrate({ staged: true, yes: true })).toMatchObject({ status: 200, body: { result: { did: 'staged' } } });
    await expectPooled();
    expect(await migrate({ how: 'discard_staged', yes: true })).toMatchObject({ status: 200, body: { result: { did: 'discarded' } } });
    await expectPooled();
  });
});
