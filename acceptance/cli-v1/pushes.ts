import { createHash } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { psql } from '../harness/postgres.ts';
import { type ExistingClient, existingClient, signJwt } from './client.ts';
import { Credentials, Migrations, Pushed } from './schemas.ts';
import { OTHER_HASH, world } from './world.ts';

const sha256 = (sql: string) => createHash('sha256').update(sql).digest('hex');

describe('a push with an API token', () => {
  it.each(['v1', 'v2'] as const)('runs SQL, a migration once, and a repeatable script when it has changed: %s', async (which) => {
    const { slug, hash } = world[which];
    const push = (body: object) => world.client.ask(Pushed, 'POST /push', { slug, hash, ...body });
    expect(await push({ sql: 'create table raw (id int)' })).toEqual(expect.not.objectContaining({ skipped: true }));
    const sql = 'create table once (id int)';
    const migration = { version: '001_once.sql', filename: '001_once.sql', checksum: sha256(sql) };
    expect((await push({ sql, migration })).skipped).toBeUndefined();
    expect(await push({ sql, migration })).toMatchObject({ skipped: true });
    expect((await world.client.ask(Migrations, `GET /projects/${hash}/migrations`)).applied).toMatchObject([migration]);
    const script = (text: string) => ({
      sql: text,
      repeatable: { scriptId: 'views/one.sql', filename: 'one.sql', checksum: sha256(text) },
    });
    const [first, second] = [script('create or replace view one as select 1 as n'), script('create or replace view one as select 2 as n')];
    expect((await push(first)).skipped).toBeUndefined();
    expect(await push(first)).toMatchObject({ skipped: true });
    expect(await push(second)).toMatchObject({ previousChecksum: first.repeatable.checksum });
    expect((await psql(world[which].uri, 'select n from one')).trim()).toBe('2');
  });
});

describe("a push with a pooled project's own token", () => {
  let secrets: Record<'v1' | 'v2', string>;
  const now = () => Math.floor(Date.now() / 1000);
  const claims = () => ({ role: 'service_role', iat: now(), exp: now() + 300 });
  const as = (token: string): ExistingClient => existingClient(world.flux, token);
  const count = async () => (await psql(world.v2.uri, 'select count(*) from t')).trim();
  beforeAll(async () => {
    const secretOf = async (hash: string) => {
      const told = await world.client.ask(Credentials, `GET /projects/${hash}/credentials`);
      return String(told.projectJwtSecret);
    };
    secrets = { v1: await secretOf(world.v1.hash), v2: await secretOf(world.v2.hash) };
  });

  it('runs, is recorded in the ledger, and says so', async () => {
    const { slug, hash } = world.v2;
    const client = as(signJwt(secrets.v2, claims()));
    const sql = 'insert into t values (3)';
    const migration = { version: '002_three.sql', filename: '002_three.sql', checksum: sha256(sql) };
    expect((await client.ask(Pushed, `POST //api/projects/${slug}/push`, { hash, sql, migration })).skipped).toBeUndefined();
    expect(await client.ask(Pushed, `POST //api/projects/${slug}/push`, { hash, sql, migration })).toMatchObject({ skipped: true });
    expect(await count()).toBe('3');
    const { applied } = await client.ask(Migrations, `GET //api/projects/${slug}/migrations?hash=${hash}`);
    expect(applied).toEqual(expect.arrayContaining([expect.objectContaining(migration)]));
    const wrong = await client.refused(400, `POST //api/projects/${slug}/push`, { hash, sql: 'insert into nowhere values (1)' });
    expect(wrong).toMatchObject({ code: 'sql_failed', error: expect.stringContaining('nowhere') });
    expect((await world.flux.flux('audit', '--hash', hash)).stdout).toContain('project.push');
  });

  it('is refused with a token that is not right, whatever it asks for, and changes nothing', async () => {
    const { slug, hash } = world.v2;
    const good = claims();
    const [head, body] = signJwt(secrets.v2, good, { alg: 'none' }).split('.');
    const tokens: [string, number, string][] = [
      ['of another role', 403, signJwt(secrets.v2, { ...good, role: 'anon' })],
      ['without a role', 403, signJwt(secrets.v2, { exp: now() + 300 })],
      ['that has expired', 401, signJwt(secrets.v2, { ...good, exp: now() - 1 })],
      ['of another project', 401, signJwt(secrets.v1, good)],
      ['that names no algorithm', 401, signJwt(secrets.v2, good, { alg: 'none' })],
      ['that is not signed', 401, `${head}.${body}.`],
      ['that names another algorithm', 401, signJwt(secrets.v2, good, { alg: 'RS256' })],
      ['that was changed', 401, signJwt(secrets.v2, { ...good, role: 'anon' }).replace(/\.[^.]+\./, `.${body}.`)],
      ['of the API', 401, world.flux.token()],
      ['that is none', 401, 'x'],
    ];
    for (const [what, status, token] of tokens) {
      const client = as(token);
      const pushed = await client.refused(status, `POST //api/projects/${slug}/push`, { hash, sql: 'delete from t' });
      const listed = await client.refused(status, `GET //api/projects/${slug}/migrations?hash=${hash}`);
      expect({ what, same: pushed.code === listed.code }).toEqual({ what, same: true });
    }
    const unknown = await as(signJwt(secrets.v2, good)).refused(401, 'POST //api/projects/nobody/push', { hash, sql: 'select 1' });
    const foreign = await as(signJwt(secrets.v1, good)).refused(401, `POST //api/projects/${slug}/push`, { hash, sql: 'select 1' });
    expect(unknown.error.replace('nobody', slug)).toBe(foreign.error);
    expect(await count()).toBe('3');
  });

  it('is refused for another hash, for a member that is not known, and for a dedicated project', async () => {
    const { slug, hash } = world.v2;
    const client = as(signJwt(secrets.v2, { role: 'service_role' }));
    const sql = 'delete from t';
    expect((await client.refused(400, `POST //api/projects/${slug}/push`, { hash: OTHER_HASH, sql })).code).toBe('project_mismatch');
    expect((await client.refused(400, `POST //api/projects/${slug}/push`, { hash, sql, dryrun: true })).error).toContain('"dryRun"');
    expect((await client.refused(400, `POST //api/projects/${slug}/push?dryRun=1`, { hash, sql })).error).toContain('"dryRun"');
    await client.refused(400, `GET //api/projects/${slug}/migrations`);
    await client.refused(400, `GET //api/projects/${slug}/migrations?hash=${OTHER_HASH}`);
    const dedicated = as(signJwt(secrets.v1, claims()));
    const refused = await dedicated.refused(400, `POST //api/projects/${world.v1.slug}/push`, { hash: world.v1.hash, sql });
    expect(refused.error).toContain('not a pooled project');
    for (const project of [world.v1, world.v2]) expect((await psql(project.uri, 'select count(*) > 0 from t')).trim()).toBe('t');
  });
});
