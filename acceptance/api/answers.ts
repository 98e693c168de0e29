import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { psql } from '../harness/postgres.ts';
import { catalogUri } from '../harness/superuser.ts';
import { get, hex, type Json, post, text, time, uuid, world } from './world.ts';

describe('what existing synchronous clients read', () => {
  it('says who is asking', async () => {
    const { status, body } = await get('/auth/verify');
    expect(status).toBe(200);
    expect(body).toMatchObject({ ok: true, user: 'admin', plan: 'pro', defaultMode: 'v2_shared', cliRole: 'admin' });
  });

  it('lists projects by slug', async () => {
    const { status, body } = await get('/list');
    expect(status).toBe(200);
    const row = (slug: string, hash: string) => ({ slug, hash, status: 'running', apiUrl: world.flux.url, lifecycleState: 'active' });
    expect(body).toMatchObject([row('dedicated-one', world.v1.hash), row('tenant-one', world.v2.hash)]);
  });

  it('leaves projects out of the list that are being made or removed, unless it is asked for them', async () => {
    const { hash } = world.v2;
    const become = (lifecycle: string) =>
      psql(catalogUri(world.flux), `update projects set lifecycle = '${lifecycle}' where hash = '${hash}'`);
    await become('removing');
    const [list, all] = await Promise.all([get('/list'), get('/list?unfinished=true')]).finally(() => become('active'));
    expect(list.body).toMatchObject([{ hash: world.v1.hash }]);
    expect(all.body).toMatchObject([{ hash: world.v1.hash }, { hash, lifecycle: 'removing', lifecycleState: 'active' }]);
  });

  it('creates a project, and refuses its name to another', async () => {
    const { status, body } = await post('/create', { name: 'made-by-api', mode: 'v2_shared' });
    expect(status).toBe(201);
    expect(body).toMatchObject({
      summary: { slug: 'made-by-api', hash: hex(7), status: 'running', apiUrl: world.flux.url, lifecycleState: 'active' },
      mode: 'v2_shared',
      projectJwtSecret: text,
      secrets: { pgrstJwtSecret: text, postgresPassword: text, postgresContainerHost: text, note: text },
    });
    for (const name of ['pgrstJwtSecret', 'postgresPassword']) world.secrets.add(String((body.secrets as Json)[name]));
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
      apiUrl: world.flux.url,
      apiSchema: expect.stringMatching(/^t_[0-9a-f]{12}_api$/),
    });
    expect((await post('/init', { slug: 'linked' })).body).toEqual({ ...first.body, action: 'linked' });
  });

  it('shows a project and its credentials', async () => {
    expect((await get(`/projects/${world.v1.hash}`)).body).toEqual({
      slug: world.v1.slug,
      hash: world.v1.hash,
      mode: 'v1_dedicated',
      apiSchema: 'public',
    });
    const dedicated = (await get(`/projects/${world.v1.hash}/credentials`)).body;
    const { slug, hash, uri } = world.v1;
    expect(dedicated).toMatchObject({
      mode: 'v1_dedicated',
      slug,
      hash,
      postgresConnectionString: uri,
      anonKey: text,
      serviceRoleKey: text,
    });
    const pooled = (await get(`/projects/${world.v2.hash}/credentials`)).body;
    expect(pooled).toMatchObject({
      mode: 'v2_shared',
      slug: world.v2.slug,
      hash: world.v2.hash,
      postgresConnectionString: world.v2.uri,
      projectJwtSecret: text,
      note: text,
    });
    for (const secret of [dedicated.anonKey, dedicated.serviceRoleKey, pooled.projectJwtSecret]) world.secrets.add(String(secret));
  });

  it('pushes SQL, once per migration, and lists the ledger', async () => {
    const sql = 'create table pushed (id int);';
    const checksum = createHash('sha256').update(sql).digest('hex');
    const migration = { version: '7', filename: '7_pushed.sql', checksum };
    const moved = { tablesMoved: 0, sequencesMoved: 0, viewsMoved: 0 };
    for (const { slug, hash } of [world.v1, world.v2]) {
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
    for (const project of [world.v1, world.v2]) {
      const base = `/projects/${project.hash}/backups`;
      const created = await post(base);
      expect(created.status).toBe(200);
      const item = {
        id: uuid,
        kind: project === world.v1 ? 'project_db' : 'tenant_export',
        format: 'pg_custom',
        status: 'complete',
        sizeBytes: expect.any(Number),
        checksumSha256: hex(64),
        createdAt: time,
        completedAt: time,
        tier: 'not_restore_verified',
        label: project === world.v1 ? 'Created, not restore-verified' : 'Created tenant export, not restore-verified',
        localArtifactStatus: 'present',
        primaryArtifactRelativePath: expect.stringMatching(/^[0-9a-f-]{36}\/[0-9a-f-]{36}\.dump$/),
        artifactValidationStatus: 'artifact_valid',
        artifactValidationAt: time,
        restoreVerificationStatus: 'pending',
        offsiteR2Status: 'disabled',
        pinned: false,
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
        freshness: { latestBackupId: id, tier: 'restorable', verification: 'Restore-verified', safeDestructiveActions: 'Allowed' },
      });
    }
  });

  it('answers a failed verification with 422 and the proof', async () => {
    const base = `/projects/${world.v1.hash}/backups`;
    const created = (await post(base)).body.backup as { id: string; primaryArtifactRelativePath: string };
    const path = join(world.flux.dataFolder, 'backups', created.primaryArtifactRelativePath);
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
    const base = `/projects/${world.v1.hash}/backups`;
    const first = await get(`${base}?limit=1`);
    expect(first.body.nextCursor).toEqual(text);
    const second = await get(`${base}?limit=1&cursor=${first.body.nextCursor}`);
    const ids = [first, second].map(({ body }) => (body.backups as { id: string }[])[0]?.id);
    expect(new Set(ids).size).toBe(2);
    expect(await get(`${base}?cursor=x`)).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
  });
});
