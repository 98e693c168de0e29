import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { psql } from '../harness/postgres.ts';
import { catalogUri } from '../harness/superuser.ts';
import { existingClient } from './client.ts';
import { Created, Credentials, Linked, List, Project, Removed, Verified } from './schemas.ts';
import { world } from './world.ts';

const Anything = z.looseObject({});

describe('the account', () => {
  it('is told to an admin and to an operator', async () => {
    expect(await world.client.ask(Verified, 'GET /auth/verify')).toMatchObject({ user: 'admin', cliRole: 'admin' });
    const { token } = await world.client.ask(z.looseObject({ token: z.string() }), 'POST /tokens', { name: 'works', access: 'write' });
    expect(await existingClient(world.flux, token).ask(Verified, 'GET /auth/verify')).toMatchObject({ cliRole: 'operator' });
  });

  it.each(['v1_dedicated', 'v2_shared'])('gets a %s project with its secrets, and what the note about them says is true', async (mode) => {
    const name = `Made ${mode}!`;
    const slug = `made-${mode.replace('_', '-')}`;
    const created = await world.client.ask(Created, 'POST /create', { name, mode });
    expect(created).toMatchObject({ mode, summary: { slug, status: 'running', lifecycleState: 'active' } });
    const { pgrstJwtSecret, postgresPassword, note } = created.secrets;
    expect(note).toContain('flux project credentials');
    const { stdout } = await world.flux.flux('project', 'credentials', slug, '--hash', created.summary.hash);
    for (const secret of [pgrstJwtSecret, postgresPassword]) expect(stdout).toContain(secret);

    const taken = await world.client.refused(409, 'POST /create', { name, mode });
    expect(taken.error).toContain('already exists');
    await world.client.ask(Removed, `DELETE /projects/${created.summary.hash}?skipBackupCheck=1`);
  });

  it('links a folder, by a name for people too', async () => {
    const created = await world.client.ask(Linked, 'POST /init', { slug: 'Linked Once', mode: 'v2_shared' });
    expect(created).toMatchObject({ action: 'created', slug: 'linked-once' });
    expect(await world.client.ask(Linked, 'POST /init', { slug: 'linked-once' })).toEqual({ ...created, action: 'linked' });
    await world.client.ask(Removed, `DELETE /projects/${created.hash}?skipBackupCheck=true`);
  });
});

describe('a project', () => {
  it('is shown with its credentials', async () => {
    for (const [project, mode] of [
      [world.v1, 'v1_dedicated'],
      [world.v2, 'v2_shared'],
    ] as const) {
      const { slug, hash } = project;
      expect(await world.client.ask(Project, `GET /projects/${hash}`)).toMatchObject({ slug, hash, mode });
      const told = await world.client.ask(Credentials, `GET /projects/${hash}/credentials`);
      expect(told).toMatchObject({ mode, slug, hash, postgresConnectionString: project.uri });
      expect((await psql(told.postgresConnectionString, 'select count(*) from t')).trim()).toBe('2');
      if (told.mode !== 'v1_dedicated') continue;
      for (const key of [told.anonKey, told.serviceRoleKey]) {
        const [header, claims, signature] = key.split('.');
        const expected = createHmac('sha256', String(told.projectJwtSecret)).update(`${header}.${claims}`).digest('base64url');
        expect(signature).toBe(expected);
      }
    }
  });

  it.each(['creating', 'removing'])('that is %s is not in the list', async (lifecycle) => {
    const become = (state: string) =>
      psql(catalogUri(world.flux), `update projects set lifecycle = '${state}' where hash = '${world.v2.hash}'`);
    await become(lifecycle);
    const rows = await world.client.ask(List, 'GET /list').finally(() => become('active'));
    expect(rows.map(({ slug }) => slug)).toEqual([world.v1.slug]);
    for (const row of await world.client.ask(List, 'GET /list?unfinished=true')) expect(row.lifecycleState).toBe('active');
  });

  it('that is removed is gone, and its backups are not', async () => {
    const { hash } = await world.client.ask(Linked, 'POST /init', { slug: 'to-remove', mode: 'v2_shared' });
    await world.client.ask(Anything, `POST /projects/${hash}/backups`);
    const removed = await world.client.ask(Removed, `DELETE /projects/${hash}?skipBackupCheck=1`);
    expect(removed).toMatchObject({ hash, removed: true });
    expect((await world.client.refused(404, `GET /projects/${hash}`)).error).toMatch(/not found/i);
    expect(await world.client.ask(List, 'GET /list?removed=true')).toEqual(
      expect.arrayContaining([expect.objectContaining({ hash, lifecycleState: 'archived' })]),
    );
    expect(await world.client.ask(Anything, `GET /projects/${hash}/backups`)).toMatchObject({ backups: [{ status: 'complete' }] });
  });

  it('is stopped and started, and examined', async () => {
    const power = (action: string) => world.client.ask(Anything, `POST /projects/${world.v1.hash}/lifecycle`, { action });
    expect(await power('stop')).toMatchObject({ ok: true, summary: { status: 'stopped' } });
    expect(await world.client.ask(List, 'GET /list')).toMatchObject([{ slug: 'dedicated', status: 'stopped' }, { status: 'running' }]);
    const stopped = await world.client.refused(409, `POST /projects/${world.v1.hash}/backups`);
    expect(stopped.error).toContain('stopped');
    expect(await power('start')).toMatchObject({ summary: { status: 'running' } });
    await world.client.refused(400, `POST /projects/${world.v1.hash}/lifecycle`, { action: 'restart' });
    await world.client.refused(400, `POST /projects/${world.v1.hash}/lifecycle`);

    const Report = z.looseObject({
      findings: z.array(z.looseObject({ severity: z.enum(['danger', 'warning', 'fine']), what: z.string(), found: z.string() })).min(1),
      checks: z.array(z.looseObject({ name: z.string(), status: z.enum(['pass', 'warn', 'fail']), detail: z.string() })).min(1),
      overallStatus: z.enum(['pass', 'warn', 'fail']),
    });
    const report = await world.client.ask(Report, `POST /projects/${world.v1.hash}/doctor`);
    expect(report.checks.map(({ name, detail }) => [name, detail])).toEqual(report.findings.map(({ what, found }) => [what, found]));
    expect(report).toMatchObject({ projectSlug: 'dedicated', hash: world.v1.hash, mode: 'v1_dedicated', overallStatus: 'fail' });
  });
});
