import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import type { TestProject } from '../harness/flux.ts';
import { psql } from '../harness/postgres.ts';
import { catalogUri, superuserUri } from '../harness/superuser.ts';
import { Backups, Credentials, Project } from './schemas.ts';
import { world } from './world.ts';

const Answer = z.looseObject({
  ok: z.boolean(),
  plan: z.looseObject({ how: z.string() }),
  preflight: z.array(z.looseObject({})),
  result: z.looseObject({ did: z.string() }).optional(),
});

/** Everything that a migration may change: the catalog, the pool, the servers and the files. */
async function stateOf(project: TestProject) {
  const catalog = catalogUri(world.flux);
  const tables = (
    await psql(catalog, `select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace order by 1`)
  ).split('\n');
  // The time of the last use of a token changes with every request.
  const kept = tables.filter((name) => name !== '' && name !== 'api_tokens' && !/^pgboss|worker|kysely/.test(name));
  const rows = await Promise.all(
    kept.map(async (name) => [
      name,
      await psql(catalog, `select count(*), md5(coalesce(string_agg(t::text, '' order by t::text), '')) from ${name} t`),
    ]),
  );
  const shared = superuserUri(world.flux, 'shared', 'flux_shared');
  const pool = await psql(
    shared,
    `select nspname, nspacl from pg_namespace order by 1; select rolname, rolcanlogin, rolconfig from pg_roles order by 1;
     select relname, relnamespace::regnamespace, relacl, relrowsecurity from pg_class where relnamespace::regnamespace::text like 't\\_%' order by 1, 2;
     select datname from pg_database order by 1`,
  );
  const files = readdirSync(world.flux.dataFolder, { recursive: true })
    .map(String)
    .filter((name) => name.startsWith('backups/') || /^instances\/[^/]+$/.test(name))
    .sort();
  return {
    rows: Object.fromEntries(rows),
    pool,
    files,
    data: await psql(project.uri, 'select * from acct order by 1'),
    project: await world.client.ask(Project, `GET /projects/${project.hash}`),
    credentials: await world.client.ask(Credentials, `GET /projects/${project.hash}/credentials`),
  };
}

describe('a migration', () => {
  it('moves nothing when it is dry or not confirmed, whatever else is asked for', async () => {
    const project = await world.flux.createProject('stays', 'v2_shared');
    await world.flux.push(project, 'create table acct (bal int); insert into acct values (100);');
    const { slug, hash } = project;
    const before = await stateOf(project);

    const flags = { dropSourceAfter: true, skipBackupCheck: true, lockWrites: false };
    for (const more of [
      {},
      { yes: true },
      { yes: false, ...flags },
      { yes: true, ...flags, preserveJwtSecret: true, newJwtSecret: false },
    ]) {
      const planned = await world.client.ask(Answer, 'POST /migrate', { slug, hash, dryRun: true, ...more });
      expect(planned).toMatchObject({ ok: true, plan: { how: 'dry_run' } });
      expect(planned.result).toBeUndefined();
    }
    for (const more of [{}, { yes: false }, { staged: true }, { dumpOnly: true }, { dryRun: false }, flags]) {
      const refused = await world.client.refused(400, 'POST /migrate', { slug, hash, ...more });
      expect(refused.error).toContain('Refusing to migrate without --yes');
    }
    for (const more of [
      { dry_run: true },
      { dryrun: true },
      { confirm: true },
      { to: 'v3' },
      { dryRun: 'yes' },
      { dryRun: true, staged: true },
    ])
      await world.client.refused(400, 'POST /migrate', { slug, hash, yes: true, ...more });
    await world.client.refused(400, 'POST /migrate', { slug: 'other', hash, yes: true });
    await world.client.refused(400, 'POST /migrate?dryRun=1', { slug, hash, yes: true });

    expect(await stateOf(project)).toEqual(before);
  });

  it('goes as far as it is told to: a dump, a copy, the move, and the source is dropped', async () => {
    const project = await world.flux.createProject('moves', 'v2_shared');
    await world.flux.push(project, 'create table acct (bal int); insert into acct values (100);');
    const { slug, hash } = project;
    const migrate = (members: object) => world.client.ask(Answer, 'POST /migrate', { slug, hash, yes: true, ...members });
    const before = await world.client.ask(Credentials, `GET /projects/${hash}/credentials`);

    expect(await migrate({ dumpOnly: true })).toMatchObject({ result: { did: 'dumped' } });
    expect((await world.client.ask(Backups, `GET /projects/${hash}/backups`)).backups).toMatchObject([{ tier: 'restorable' }]);
    expect(await migrate({ staged: true, lockWrites: true })).toMatchObject({ result: { did: 'staged' } });
    expect(await world.client.ask(Project, `GET /projects/${hash}`)).toMatchObject({ mode: 'v2_shared' });
    expect(await migrate({ how: 'discard_staged' })).toMatchObject({ result: { did: 'discarded' } });

    const moved = await migrate({ dropSourceAfter: true, noLockWrites: false, preserveJwtSecret: true, newJwtSecret: false });
    expect(moved).toMatchObject({ ok: true, result: { did: 'migrated', sourceKept: false } });
    expect(await world.client.ask(Project, `GET /projects/${hash}`)).toMatchObject({ mode: 'v1_dedicated', slug });
    const after = await world.client.ask(Credentials, `GET /projects/${hash}/credentials`);
    expect(after.projectJwtSecret).toBe(before.projectJwtSecret);
    expect((await psql(after.postgresConnectionString, 'select bal from acct')).trim()).toBe('100');
    const schema = (
      await psql(superuserUri(world.flux, 'shared', 'flux_shared'), `select nspname from pg_namespace where nspname like 't\\_%'`)
    ).split('\n');
    const { apiSchema } = await world.client.ask(Project, `GET /projects/${hash}`);
    expect(schema).not.toContain(apiSchema);
  });
});
