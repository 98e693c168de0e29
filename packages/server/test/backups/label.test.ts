import { appendFileSync, copyFileSync, mkdirSync, readFileSync, renameSync, rmdirSync, truncateSync } from 'node:fs';
import type { BackupId } from '@flux/contract/ids';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openDownload } from '../../src/backups/download.ts';
import { consultGate, requireDeletion } from '../../src/backups/gate.ts';
import { removeArtifact } from '../../src/backups/keep.ts';
import { listProjectBackups } from '../../src/backups/list.ts';
import { compareBytes, type ReadingDeps, recordReading } from '../../src/backups/reading.ts';
import { updateBackup } from '../../src/catalog/backups.ts';
import type { ProjectRow } from '../../src/catalog/projects.ts';
import { type BackupPlace, flip, nobody, openBackupPlace, unrivalled } from './place.ts';

type Made = { readonly id: BackupId; readonly path: string };

let place: BackupPlace;
let deps: ReadingDeps;
let project: ProjectRow;
let made: Made;
const signal = new AbortController().signal;

beforeAll(async () => {
  place = await openBackupPlace();
  deps = place.deps;
});
afterAll(() => place?.[Symbol.asyncDispose]());
beforeEach(async () => {
  project = await place.newProject();
  made = await addProven();
});

async function addProven(): Promise<Made> {
  const backup = await place.addBackup(project, 'complete');
  await place.verify(backup.id);
  return backup;
}

/** What a list says of the newest backup. */
async function told() {
  const { backups, freshness } = await listProjectBackups(deps, project, 'admin', {});
  const item = backups.at(0);
  expect(item?.tier).toBe(freshness.tier);
  return {
    tier: freshness.tier,
    safe: freshness.safeDestructiveActions,
    file: item?.localArtifactStatus,
    artifact: item?.artifactValidationStatus,
    restore: item?.restoreVerificationStatus,
    why: item?.artifactValidationError ?? '',
  };
}

const GREEN = { tier: 'restorable', safe: 'Allowed', file: 'present', artifact: 'artifact_valid', restore: 'restore_verified', why: '' };
const NOT_VALID = { tier: 'pipeline_incomplete', safe: 'Blocked until verification', artifact: 'artifact_invalid', restore: 'skipped' };
const askGate = async () => (await consultGate(deps, project, 'nuke', null, signal)).kind;
const audited = async () =>
  (
    await place.catalog.db
      .selectFrom('audit_events')
      .select(['action', 'details'])
      .where('project_id', '=', project.id)
      .orderBy('id')
      .execute()
  ).map(({ action, details }) => [action, (details as { by?: string }).by]);

describe('damage that a reading finds', () => {
  it('is recorded by the gate, says what, when and by whom, and goes when the bytes are read again and are right', async () => {
    flip(made.path);
    expect(await told()).toEqual(GREEN);
    expect(await askGate()).toBe('refused');

    const found = await told();
    expect(found).toMatchObject({ ...NOT_VALID, file: 'present' });
    expect(found.why).toMatch(/^The artifact's SHA-256 is [0-9a-f]{64}; .* its bytes have changed\. Found by the gate at \d{4}-.*Z\.$/);
    // The same finding again is no news: the first one says since when.
    expect(await askGate()).toBe('refused');
    expect((await told()).why).toBe(found.why);

    flip(made.path);
    expect(await told()).toEqual(found);
    expect(await askGate()).toBe('cleared');
    expect(await told()).toEqual(GREEN);
    expect(await audited()).toEqual([
      ['backup.artifact_damaged', 'the gate'],
      ['backup.artifact_good_again', 'the gate'],
    ]);
  });

  it('does not put a failed verification in the shade', async () => {
    await updateBackup(place.catalog.db, made.id, {
      restore_verification: 'restore_failed',
      restore_verification_error: 'test',
      verified_sha256: null,
    });
    flip(made.path);
    await compareBytes(deps, await place.rowOf(made.id), 'a restore', signal);
    expect(await told()).toMatchObject({ tier: 'restore_failed', artifact: 'artifact_invalid', restore: 'restore_failed' });
  });

  it('stays, when it is in the structure, until somebody has walked the archive again', async () => {
    const { id } = await place.addBackup(project, 'complete');
    const { size_bytes, sha256 } = await place.rowOf(id);
    const read = { sizeBytes: size_bytes ?? 0, sha256: sha256 ?? '' };
    await recordReading(deps, id, { ...read, damage: 'The archive is damaged at byte 7.', extent: 'archive' }, 'the validation');
    expect(await told()).toMatchObject(NOT_VALID);
    await compareBytes(deps, await place.rowOf(id), 'a deletion', signal);
    expect(await told()).toMatchObject(NOT_VALID);
    await recordReading(deps, id, { ...read, damage: undefined, extent: 'archive' }, 'a restore');
    expect(await told()).toMatchObject({ tier: 'not_restore_verified', artifact: 'artifact_valid', restore: 'pending', why: '' });
  });
});

describe('a file that is wrong only now', () => {
  const away = () => `${made.path}.away`;
  const CASES: readonly (readonly [string, string, RegExp, () => void, () => void])[] = [
    ['missing', 'missing', /not on the backup volume/, () => renameSync(made.path, away()), () => renameSync(away(), made.path)],
    [
      'shorter',
      'present',
      /^The file has 9 bytes; 45 were written\.$/,
      () => {
        copyFileSync(made.path, away());
        truncateSync(made.path, 9);
      },
      () => renameSync(away(), made.path),
    ],
    [
      'longer',
      'present',
      /^The file has 46 bytes; 45 were written\.$/,
      () => {
        copyFileSync(made.path, away());
        appendFileSync(made.path, 'x');
      },
      () => renameSync(away(), made.path),
    ],
    [
      'on a volume that is not there',
      'missing',
      /^The backup volume cannot be used: ENOENT/,
      () => renameSync(place.folder, `${place.folder}.away`),
      () => renameSync(`${place.folder}.away`, place.folder),
    ],
    [
      'on a volume that is not mounted',
      'missing',
      /not on the backup volume/,
      () => {
        renameSync(place.folder, `${place.folder}.away`);
        mkdirSync(place.folder);
      },
      () => {
        rmdirSync(place.folder);
        renameSync(`${place.folder}.away`, place.folder);
      },
    ],
  ];
  it.each(CASES)('is not valid while it is %s, whoever looks, and good at once when it is back', async (_how, file, why, spoil, mend) => {
    const before = await place.rowOf(made.id);
    spoil();
    const [seen, gate] = await Promise.all([told(), askGate()]).finally(mend);
    expect(seen).toMatchObject({ ...NOT_VALID, file, why: expect.stringMatching(why) });
    expect(gate).toBe('refused');
    expect(await told()).toEqual(GREEN);
    expect(await place.rowOf(made.id)).toEqual(before);
    expect(await askGate()).toBe('cleared');
  });

  it('says who removed it, and has no path while there is none', async () => {
    await updateBackup(place.catalog.db, made.id, { removed_at: new Date(0), removed_by: 'somebody' });
    expect(await told()).toMatchObject({
      ...NOT_VALID,
      file: 'missing',
      why: 'The file was removed by somebody at 1970-01-01T00:00:00.000Z.',
    });
    await place.addBackup(project, 'failed');
    const { backups } = await listProjectBackups(deps, project, 'admin', { limit: 1 });
    expect(backups[0]).toMatchObject({ status: 'failed' });
    expect(backups[0]).not.toHaveProperty('primaryArtifactRelativePath');
  });
});

describe('a download', () => {
  const fetch = async (range?: { start: number; end: number }) => {
    const { open } = await openDownload(deps, project, await place.rowOf(made.id), signal);
    const got: Buffer[] = [];
    const ended = await (async () => {
      for await (const piece of await open(range)) got.push(Buffer.from(piece));
    })().catch((error: { code?: string }) => error.code);
    return { bytes: Buffer.concat(got), ended };
  };

  it('of damaged bytes is recorded and keeps back the last one; the next that is right takes the damage back', async () => {
    const good = readFileSync(made.path);
    expect(await fetch()).toEqual({ bytes: good, ended: undefined });
    flip(made.path);
    expect(await fetch({ start: 1, end: good.length - 1 })).toMatchObject({ ended: undefined });
    expect(await told()).toEqual(GREEN);

    const { bytes, ended } = await fetch();
    expect([bytes.length, ended]).toEqual([good.length - 1, 'artifact_invalid']);
    expect(await told()).toMatchObject({ ...NOT_VALID, why: expect.stringContaining('Found by a download at') });

    flip(made.path);
    expect(await fetch()).toEqual({ bytes: good, ended: undefined });
    expect(await told()).toEqual(GREEN);
  });
});

describe('a deletion', () => {
  const remove = async (id: BackupId) => {
    const row = await place.rowOf(id);
    await removeArtifact(deps, project, row, nobody, await requireDeletion(deps, project, row, null, signal), unrivalled);
  };
  const lose = ({ path }: Made) => renameSync(path, `${path}.away`);
  const shorten = ({ path }: Made) => truncateSync(path, 9);
  const damage = ({ path }: Made) => flip(path);
  const refusal = (words: string) => ({ code: 'gate_refused', message: expect.stringContaining(words) });

  it.each([
    ['missing', lose],
    ['shorter', shorten],
    ['damaged', damage],
  ])('is refused while the newest proven backup is %s; that one may go when a good one stands behind it', async (_how, spoil) => {
    const newest = await addProven();
    const unproven = await place.addBackup(project, 'complete');
    spoil(newest);
    for (const { id } of [made, unproven])
      await expect(remove(id)).rejects.toMatchObject(refusal('newest restore-verified backup is missing or damaged'));

    await remove(newest.id);
    await expect(remove(made.id)).rejects.toMatchObject(refusal('without it, nothing is known to be restorable'));
    await remove(unproven.id);
  });

  it('of the damaged newest proven backup is refused when none that is good and proven stands behind it', async () => {
    const newest = await addProven();
    await place.addBackup(project, 'complete');
    damage(newest);
    lose(made);
    await expect(remove(newest.id)).rejects.toMatchObject(refusal('No other restore-verified backup with an intact file'));
  });

  it('of the last good bytes is refused also when nothing is proven', async () => {
    project = await place.newProject();
    const [older, newer] = [await place.addBackup(project, 'complete'), await place.addBackup(project, 'complete')];
    const failed = await place.addBackup(project, 'failed');
    damage(older);
    await expect(remove(newer.id)).rejects.toMatchObject(refusal('No other backup with an intact file'));
    await remove(older.id);
    await remove(failed.id);
    await expect(remove(newer.id)).rejects.toMatchObject(refusal('No other backup with an intact file'));
  });

  it('does not rest on one that has failed its verification', async () => {
    project = await place.newProject();
    const [older, newer] = [await place.addBackup(project, 'complete'), await place.addBackup(project, 'complete')];
    await updateBackup(place.catalog.db, older.id, { restore_verification: 'restore_failed', restore_verification_error: 'test' });
    await expect(remove(newer.id)).rejects.toMatchObject(refusal('No other backup with an intact file'));
    await remove(older.id);
  });

  it('goes on with an override, which is written down', async () => {
    const row = await place.rowOf(made.id);
    await removeArtifact(deps, project, row, nobody, await requireDeletion(deps, project, row, { reason: 'test' }, signal), unrivalled);
    expect(await audited()).toEqual([
      ['gate.override', undefined],
      ['backup.delete', undefined],
    ]);
  });

  it('is refused when what it rests on is deleted, pinned or proven meanwhile', async () => {
    project = await place.newProject();
    const pair = [await place.addBackup(project, 'complete'), await place.addBackup(project, 'complete')];
    const rows = await Promise.all(pair.map(({ id }) => place.rowOf(id)));
    // Each may go as long as the other one stays.
    const clearances = await Promise.all(rows.map((row) => requireDeletion(deps, project, row, null, signal)));
    const done = await Promise.allSettled(
      rows.map((row, index) => removeArtifact(deps, project, row, nobody, clearances[index] as (typeof clearances)[number], unrivalled)),
    );
    expect(done.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(done.find(({ status }) => status === 'rejected')).toMatchObject({ reason: refusal('it changed while the command ran') });

    project = await place.newProject();
    const [older, newer] = [await addProven(), await place.addBackup(project, 'complete')];
    const row = await place.rowOf(newer.id);
    const clearance = await requireDeletion(deps, project, row, null, signal);
    await place.verify(newer.id);
    await expect(removeArtifact(deps, project, row, nobody, clearance, unrivalled)).rejects.toMatchObject(refusal('it changed'));
    await updateBackup(place.catalog.db, older.id, { pinned: true });
    const pinned = await place.rowOf(older.id);
    const again = await requireDeletion(deps, project, pinned, null, signal);
    await expect(removeArtifact(deps, project, pinned, nobody, again, unrivalled)).rejects.toMatchObject({ code: 'not_ready' });
  });
});
