import { createHash } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import type { TestProject } from '../harness/flux.ts';
import { lockTable } from '../harness/pg-lock.ts';
import { until } from '../harness/process.ts';
import { databaseOf, instanceOf, superuserUri } from '../harness/superuser.ts';
import { existingClient } from './client.ts';
import { Backups, FreshBackup, Item, Operation, VerifiedBackup } from './schemas.ts';
import { world } from './world.ts';

const list = ({ hash }: TestProject, query = '') => world.client.ask(Backups, `GET /projects/${hash}/backups${query}`);
const newest = async (project: TestProject) => Item.parse((await list(project, '?limit=1')).backups[0]);

/** Members that say nothing while there is no artifact. */
const OF_AN_ARTIFACT = [
  'sizeBytes',
  'checksumSha256',
  'primaryArtifactRelativePath',
  'postgresVersion',
  'restoreVerificationAt',
  'expiresAt',
  'note',
];

describe.each([
  ['dedicated', 'project_db'],
  ['pooled', 'tenant_export'],
] as const)('backups of a %s project', (which, kind) => {
  const of = () => (which === 'dedicated' ? world.v1 : world.v2);
  const path = () => `/projects/${of().hash}/backups`;

  it('are none at first', async () => {
    const { backups, freshness, nextCursor } = await list(of());
    expect({ backups, nextCursor }).toEqual({ backups: [], nextCursor: undefined });
    expect(freshness).toMatchObject({
      tier: 'no_backups',
      verification: 'No backup yet',
      safeDestructiveActions: 'Blocked until verification',
    });
  });

  it('are created, verified and downloaded', async () => {
    const { backup } = await world.client.ask(FreshBackup, `POST ${path()}`, { note: 'first' });
    expect(backup).toMatchObject({ kind, note: 'first', tier: 'not_restore_verified', localArtifactStatus: 'present' });
    expect(backup).toMatchObject({
      artifactValidationStatus: 'artifact_valid',
      restoreVerificationStatus: 'pending',
      offsiteR2Status: 'disabled',
    });
    expect(await world.client.ask(VerifiedBackup, `POST ${path()}/latest/verify`)).toMatchObject({ backupId: backup.id });
    expect(await newest(of())).toMatchObject({ id: backup.id, tier: 'restorable', restoreVerificationStatus: 'restore_verified' });
    expect((await list(of())).freshness).toMatchObject({ verification: 'Restore-verified', safeDestructiveActions: 'Allowed' });

    const whole = await world.client.send(`GET ${path()}/latest/download`);
    const bytes = Buffer.from(await whole.arrayBuffer());
    const sha256 = createHash('sha256').update(bytes).digest();
    expect([whole.status, bytes.length, sha256.toString('hex')]).toEqual([200, backup.sizeBytes, backup.checksumSha256]);
    expect(Object.fromEntries(whole.headers)).toMatchObject({
      'content-type': 'application/octet-stream',
      'content-length': String(bytes.length),
      etag: `"${backup.checksumSha256}"`,
      'accept-ranges': 'bytes',
      'repr-digest': `sha-256=:${sha256.toString('base64')}:`,
      'content-disposition': expect.stringContaining(`${of().hash}-${backup.id}.dump`),
    });
    const part = await world.client.send(`GET ${path()}/${backup.id}/download`, undefined, { range: 'bytes=5-9' });
    expect([part.status, part.headers.get('content-range')]).toEqual([206, `bytes 5-9/${bytes.length}`]);
    expect(Buffer.from(await part.arrayBuffer())).toEqual(bytes.subarray(5, 10));
    await world.client.refused(416, `GET ${path()}/${backup.id}/download`, undefined, { range: `bytes=${bytes.length}-` });
  });

  it('are shown to an operator without the paths of the server', async () => {
    const { token } = await world.client.ask(z.looseObject({ token: z.string() }), 'POST /tokens', { name: 'operator', access: 'write' });
    const { backups } = await existingClient(world.flux, token).ask(Backups, `GET ${path()}`);
    expect(backups.map((item) => item.primaryArtifactRelativePath)).toEqual(backups.map(() => undefined));
    expect((await newest(of())).primaryArtifactRelativePath).toMatch(/^[0-9a-f-]{36}\/[0-9a-f-]{36}\.dump$/);
  });

  it('are told by every flag when the file is gone, shorter or changed, and again when it is back', async () => {
    const item = await newest(of());
    const file = join(world.flux.dataFolder, 'backups', String(item.primaryArtifactRelativePath));
    const bytes = readFileSync(file);
    const changed = Buffer.from(bytes);
    changed.writeUInt8(bytes.readUInt8(bytes.length - 20) ^ 1, bytes.length - 20);
    const bad = { tier: 'pipeline_incomplete', artifactValidationStatus: 'artifact_invalid', restoreVerificationStatus: 'skipped' };
    const told = async (presence: 'present' | 'missing') => {
      const seen = await newest(of());
      expect(seen).toMatchObject({ ...bad, localArtifactStatus: presence, artifactValidationError: expect.stringMatching(/./) });
      expect(seen.restoreVerificationAt).toBeUndefined();
    };
    renameSync(file, `${file}.away`);
    await told('missing');
    expect((await world.client.refused(410, `GET ${path()}/latest/download`)).error).toContain('is not on the backup volume');
    renameSync(`${file}.away`, file);
    expect(await newest(of())).toMatchObject({ tier: 'restorable' });
    writeFileSync(file, bytes.subarray(0, -9));
    await told('present');
    writeFileSync(file, changed);
    // Its size is right: whoever reads the bytes finds it, and from then on everybody says so.
    const gate = await world.client.refused(412, `DELETE /projects/${of().hash}`);
    expect(gate.error).toMatch(
      /^.+ Run `flux backup create && flux backup verify --latest` first, or pass --skip-backup-check \(dangerous\)\.\n\(.+\)$/,
    );
    await told('present');
    const failed = await world.client.refused(422, `POST ${path()}/latest/verify`);
    expect(failed).toMatchObject({ code: 'verification_failed', details: { proof: { verdict: 'failed', backupId: item.id } } });
    writeFileSync(file, bytes);
    await world.client.ask(VerifiedBackup, `POST ${path()}/${item.id}/verify`);
    expect(await newest(of())).toMatchObject({ tier: 'restorable', artifactValidationStatus: 'artifact_valid' });
  });

  it('are listed while one runs and after it has failed, and the second of two is refused', async () => {
    const project = of();
    const id = (await newest(project)).primaryArtifactRelativePath?.split('/')[0] ?? '';
    const engine = which === 'dedicated' ? 'v1_dedicated' : 'v2_shared';
    const { apiSchema } = await world.client.ask(z.looseObject({ apiSchema: z.string() }), `GET /projects/${project.hash}`);
    const lock = await lockTable(superuserUri(world.flux, instanceOf(id, engine), databaseOf(project)), `${apiSchema}.t`);
    const response = await world.client.send(`POST ${path()}`, undefined, { prefer: 'respond-async' });
    const operation = Operation.parse(await response.json());
    expect([response.status, response.headers.get('location')]).toEqual([202, `/api/cli/v1/operations/${operation.id}`]);
    await until('the backup runs', async () => (await newest(project)).status === 'running');

    const running = await newest(project);
    expect(running).toMatchObject({ tier: 'latest_not_complete', localArtifactStatus: 'missing', artifactValidationStatus: 'pending' });
    for (const member of [...OF_AN_ARTIFACT, 'completedAt']) expect(running).not.toHaveProperty(member);
    expect((await world.client.refused(409, `POST ${path()}`)).error).toContain('already running');

    await world.client.ask(Operation, `POST /operations/${operation.id}/cancel`);
    await lock.release();
    await until('the backup has ended', async () => (await newest(project)).status === 'failed');
    const failed = await newest(project);
    expect(failed).toMatchObject({ tier: 'latest_not_complete', restoreVerificationStatus: expect.stringMatching(/^(pending|skipped)$/) });
    for (const member of OF_AN_ARTIFACT) expect(failed).not.toHaveProperty(member);
    expect(await world.client.ask(Operation, `GET /operations/${operation.id}`)).toMatchObject({ state: 'cancelled' });
    await world.client.refused(412, `DELETE /projects/${project.hash}`);

    const page = await list(project, '?limit=1');
    expect((await list(project, `?limit=1&cursor=${page.nextCursor}`)).backups).toMatchObject([{ status: 'complete' }]);
  });

  it('come with the events of the work to whoever follows it', async () => {
    const response = await world.client.send(`POST ${path()}`, { note: 'followed' }, { prefer: 'respond-async' });
    const { id } = Operation.parse(await response.json());
    const events = await world.client.send(`GET /operations/${id}/events`);
    expect(events.headers.get('content-type')).toBe('text/event-stream');
    const stream = await events.text();
    expect(stream).toContain('event: state');
    expect(stream).not.toContain('null');
    const done = await world.client.ask(Operation, `GET /operations/${id}`);
    expect(FreshBackup.parse(done.result).backup).toMatchObject({ note: 'followed' });
  });
});
