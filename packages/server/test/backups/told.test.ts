import { appendFileSync, copyFileSync, renameSync, truncateSync } from 'node:fs';
import { FluxError } from '@flux/contract/errors';
import type { BackupId } from '@flux/contract/ids';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { toLegacyItem } from '../../src/api/cli-v1/legacy-shapes.ts';
import { openDownload } from '../../src/backups/download.ts';
import { consultGate, requireDeletion } from '../../src/backups/gate.ts';
import { answerGate } from '../../src/backups/gate-answer.ts';
import { listProjectBackups, showBackup } from '../../src/backups/list.ts';
import { openBackup } from '../../src/backups/restore/open.ts';
import { type VerifyDeps, verifyBackup } from '../../src/backups/verify/run.ts';
import { updateBackup } from '../../src/catalog/backups.ts';
import type { ProjectRow } from '../../src/catalog/projects.ts';
import { type DoctorDeps, examineProject } from '../../src/projects/doctor.ts';
import { type BackupPlace, flip, openBackupPlace } from './place.ts';
import { task, verifyingDeps } from './verifying.ts';

let place: BackupPlace;
let deps: VerifyDeps;
let project: ProjectRow;
let made: { readonly id: BackupId; readonly path: string };
/** Whether the store cannot read the file although it is there with its size: a bad sector, a permission. */
let isUnreadable = false;
const { signal } = task;

beforeAll(async () => {
  place = await openBackupPlace();
  const { store } = place.deps;
  const orUnreadable = <A extends unknown[], R>(work: (...args: A) => Promise<R>) => {
    return async (...args: A): Promise<R> => {
      if (isUnreadable) throw new FluxError('volume_unusable', 'The backup volume cannot be used: EIO: i/o error.');
      return work(...args);
    };
  };
  const linkTo = (store as unknown as { linkTo: (...args: unknown[]) => Promise<unknown> }).linkTo;
  deps = verifyingDeps(
    { ...place.deps, store: { ...store, get: orUnreadable(store.get), linkTo: orUnreadable(linkTo) } as never },
    place.folder,
  );
});
afterAll(() => place?.[Symbol.asyncDispose]());
beforeEach(async () => {
  // Doctor and gate would ask the project's Postgres; this project has none.
  project = { ...(await place.newProject()), lifecycle: 'creating' };
  made = await place.addBackup(project, 'complete');
  await place.verify(made.id);
});

const opened = () => ({ engine: { staging: {} }, project: {} });
const engines = { of: opened, toLook: opened };
const machine = { toolbox: { majors: () => [15] }, clock: { now: () => new Date(), distrustedMs: () => 0 } };

/** What each answer says of the newest backup. */
async function told() {
  const { backups, freshness } = await listProjectBackups(deps, project, 'admin', {});
  const { backup: shown } = await showBackup(deps, project, made.id, 'admin');
  const gate = await answerGate({ ...deps, engines } as never, project, { action: 'nuke' }, signal);
  const doctor = await examineProject({ ...deps, engines, machine, undoKeepMs: 0 } as unknown as DoctorDeps, project);
  const finding = doctor.findings.find(({ what }) => what === 'latest backup');
  const [listed] = backups;
  if (listed === undefined || finding === undefined) throw new Error('the newest backup is not told of');
  const legacy = toLegacyItem(listed);
  expect(listed).toEqual(shown);
  return {
    tiers: new Set([listed.tier, freshness.tier, gate.tier, legacy.tier]),
    labels: new Set([listed.label, freshness.label, gate.label, legacy.label, finding.found.split(/[.:] ?/)[0]]),
    flags: new Set([listed, legacy].map((item) => `${item.artifactValidationStatus} ${item.restoreVerificationStatus}`)),
    file: listed.localArtifactStatus,
    why: listed.artifactValidationError,
    isOpen: {
      gate: gate.decision === 'cleared',
      list: freshness.safeDestructiveActions === 'Allowed',
      doctor: finding.severity === 'fine',
    },
    texts: { gate: gate.detail, doctor: finding.found },
  };
}
const copyState = async () =>
  place.catalog.db
    .selectFrom('copies')
    .select(['state', 'problem', 'checked_at'])
    .where('backup_id', '=', made.id)
    .executeTakeFirstOrThrow();

const GREEN = {
  tiers: new Set(['restorable']),
  flags: new Set(['artifact_valid restore_verified']),
  file: 'present',
  why: null,
  isOpen: { gate: true, list: true, doctor: true },
};

const away = () => `${made.path}.away`;
const keepAside = () => copyFileSync(made.path, away());
const putBack = () => renameSync(away(), made.path);
const DAMAGES = {
  gone: { spoil: () => renameSync(made.path, away()), mend: putBack, file: 'missing', why: /not on the backup volume/ },
  shorter: {
    spoil: () => {
      keepAside();
      truncateSync(made.path, 9);
    },
    mend: putBack,
    file: 'present',
    why: /has 9 bytes; 45 were written/,
  },
  longer: {
    spoil: () => {
      keepAside();
      appendFileSync(made.path, 'x');
    },
    mend: putBack,
    file: 'present',
    why: /has 46 bytes; 45 were written/,
  },
  changed: { spoil: () => flip(made.path), mend: () => flip(made.path), file: 'present', why: /its bytes have changed/ },
  unreadable: {
    spoil: () => {
      isUnreadable = true;
    },
    mend: () => {
      isUnreadable = false;
    },
    file: 'present',
    why: /The file cannot be read: The backup volume cannot be used: EIO/,
  },
} as const;

/** Each way in which a backup is read; its failure is an answer. */
const READERS = {
  gate: async () => (await consultGate(deps, project, 'nuke', null, signal)).kind,
  download: async () => {
    const { open } = await openDownload(deps, project, await place.rowOf(made.id), signal);
    for await (const _ of await open());
  },
  restore: async () => {
    await using _ = await openBackup(deps, made.id, task);
  },
  verify: async () => (await verifyBackup(deps, made.id, task)).proof.verdict,
} as const;
type Reader = keyof typeof READERS;
const read = (reader: Reader) => READERS[reader]().catch((error: { code?: string }) => error.code);
const READS = Object.keys(READERS) as Reader[];

describe.each(Object.entries(DAMAGES))('a file that is %s', (how, { spoil, mend, file, why }) => {
  it.each(READS)(
    'is told to be so in every answer after %s has read it, and to be good after the next that reads good bytes',
    async (reader) => {
      // The artifacts of this place are no archives: a verification of good bytes ends before the restore.
      const isCondemned = reader === 'verify' && ['shorter', 'longer', 'changed'].includes(how);
      spoil();
      const end = await read(reader);
      const seen = await told();
      const copy = await copyState();
      mend();
      if (reader === 'gate') expect(end).toBe('refused');
      if (reader === 'verify') expect(end).toBe({ gone: 'artifact_gone', unreadable: 'inconclusive' }[how] ?? 'failed');
      expect(seen).toMatchObject({
        tiers: new Set([isCondemned ? 'restore_failed' : 'pipeline_incomplete']),
        flags: new Set([isCondemned ? 'artifact_invalid restore_failed' : 'artifact_invalid skipped']),
        file,
        why: expect.stringMatching(why),
        isOpen: { gate: false, list: false, doctor: false },
      });
      expect(seen.labels.size, [...seen.labels].join()).toBe(1);
      if (!isCondemned) expect(seen.texts).toEqual({ gate: expect.stringMatching(why), doctor: expect.stringMatching(why) });
      expect(copy).toMatchObject({
        state: how === 'gone' ? 'missing' : 'damaged',
        problem: expect.stringMatching(/./),
        checked_at: expect.any(Date),
      });

      // Only another verification changes the label that a failed one has set.
      if (isCondemned) await place.verify(made.id);
      for (const next of ['gate', 'download'] as const) await read(next);
      expect(await told()).toMatchObject(GREEN);
      expect((await told()).labels.size).toBe(1);
      expect(await copyState()).toMatchObject({ state: 'present', problem: null });
    },
  );
});

it.each(['gate', 'download'] as const)('the good bytes that %s reads are enough', async (reader) => {
  flip(made.path);
  await read('restore');
  flip(made.path);
  expect((await told()).tiers).toEqual(new Set(['pipeline_incomplete']));
  await read(reader);
  expect(await told()).toMatchObject(GREEN);
});

it('no other backup is deleted while the newest proven one cannot be read, and the finding is told everywhere', async () => {
  const other = await place.rowOf((await place.addBackup(project, 'complete')).id);
  isUnreadable = true;
  const refused = await requireDeletion(deps, project, other, null, signal).catch((error: unknown) => error);
  isUnreadable = false;
  expect(refused).toMatchObject({
    code: 'gate_refused',
    message: expect.stringMatching(/newest restore-verified backup is missing or damaged.*EIO/s),
  });
  expect((await place.rowOf(made.id)).artifact_validation_error).toMatch(/cannot be read: .*EIO.* Found by a deletion at/);
  expect((await requireDeletion(deps, project, other, null, signal)).backupId).toBe(made.id);
  expect((await place.rowOf(made.id)).restore_verification).toBe('restore_verified');
});

it.each([
  ['artifact_valid', true],
  ['artifact_invalid', false],
] as const)(
  'the doctor names the reason of a failed restore, who is to blame, and the older way back: %s',
  async (validation, isSource) => {
    const newest = await place.addBackup(project, 'complete');
    await updateBackup(place.catalog.db, newest.id, {
      artifact_validation: validation,
      restore_verification: 'restore_failed',
      restore_verification_error: 'table x is missing.',
    });
    const { findings } = await examineProject({ ...deps, engines, machine, undoKeepMs: 0 } as unknown as DoctorDeps, project);
    const found = (name: string) => findings.find(({ what }) => what === name);
    expect(found('latest backup')).toMatchObject({ severity: 'danger', found: expect.stringContaining('table x is missing.') });
    expect(found('latest backup')?.found.includes('until the source has been corrected')).toBe(isSource);
    expect(found('older backups')).toMatchObject({ severity: 'warning', found: expect.stringContaining(made.id) });
  },
);
