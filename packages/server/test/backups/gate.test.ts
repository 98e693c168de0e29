import { createHash, randomUUID } from 'node:crypto';
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { BackupId, ProjectHash, ProjectId, UserId } from '@flux/contract/ids';
import { backupKindOf, type EngineKind } from '@flux/contract/labels';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createVolumeStore } from '../../src/artifacts/volume.ts';
import { consultGate, redeemClearance } from '../../src/backups/gate.ts';
import { deleteBackup, setPinned } from '../../src/backups/keep.ts';
import { findBackupById, findLatestBackup, findNewestVerifiedBackup, insertBackup, updateBackup } from '../../src/catalog/backups.ts';
import { type Catalog, openCatalog } from '../../src/catalog/open.ts';
import { findProjectById, insertProject, markProjectRemoved, type ProjectRow, setProjectLifecycle } from '../../src/catalog/projects.ts';
import { ensureUser } from '../../src/catalog/tokens.ts';
import { systemClock } from '../../src/system/clock.ts';
import { startCluster, type TestCluster } from '../postgres/cluster.ts';

let cluster: TestCluster;
let catalog: Catalog;
let folder: string;
let owner: UserId;
const nobody = { userId: null, tokenId: null, name: 'test' };
const signal = new AbortController().signal;

beforeAll(async () => {
  cluster = await startCluster();
  folder = mkdtempSync(join(tmpdir(), 'flux-gate-'));
  const { host, port, user, database } = await cluster.createDatabase('gate');
  catalog = await openCatalog({ host, port, user, database }, () => undefined);
  owner = await ensureUser(catalog.db, randomUUID() as UserId, 'test');
});

afterAll(async () => {
  await catalog?.close();
  await cluster?.[Symbol.asyncDispose]();
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

/** What happens to a project, one at a time. `pick` says which of its backups, counted from the newest. */
const STEPS = [
  'create',
  'fail-to-create',
  'verify',
  'fail-verification',
  'invalidate',
  'tamper',
  'truncate',
  'lose',
  'delete',
  'expire',
  'nuke-and-come-back',
  'pin',
  'change-engine',
] as const;
/** Each step as often as here, or the gate would hardly ever open. */
const LIKELY = [...STEPS, 'create', 'create', 'verify', 'verify', 'verify', 'verify'] as const;
type Step = { readonly step: (typeof STEPS)[number]; readonly pick: number };

/** What is true of one backup, kept beside the catalog by rules of the test's own. */
interface Truth {
  readonly id: BackupId;
  readonly engine: EngineKind;
  readonly path: string;
  complete: boolean;
  provenSha256: string | null;
}

it('is never open without a newest backup that is proven, present, unchanged, of this project and engine', async () => {
  const doors = () => ({ catalog, store: createVolumeStore(folder), clock: systemClock });
  const steps = fc.array(fc.record({ step: fc.constantFrom(...LIKELY), pick: fc.constantFrom(0, 0, 0, 1, 2) }), {
    minLength: 1,
    maxLength: 9,
  });
  let opened = 0;
  let shut = 0;
  await fc.assert(
    fc.asyncProperty(steps, async (sequence) => {
      let project = await newProject();
      const truths: Truth[] = [];
      for (const step of sequence) {
        project = await take(doors(), project, truths, step);
        const decision = await consultGate(doors(), project, 'nuke', null, signal);
        const newest = truths.at(-1);
        const isSafe =
          newest?.complete === true &&
          newest.engine === project.engine &&
          newest.provenSha256 !== null &&
          sha256Of(newest.path) === newest.provenSha256;
        expect(decision.kind, JSON.stringify(sequence)).toBe(isSafe ? 'cleared' : 'refused');
        if (isSafe) opened += 1;
        else shut += 1;
      }
    }),
    { numRuns: 2000 },
  );
  // A gate that never opens would pass the above; so would one whose sequences never get there.
  expect(opened).toBeGreaterThan(200);
  expect(shut).toBeGreaterThan(1000);
});

it('keeps the newest proven backup of a project, whatever is deleted without an override', async () => {
  const doors = { catalog, store: createVolumeStore(folder), clock: systemClock };
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ step: fc.constantFrom('create', 'verify', 'delete', 'pin'), pick: fc.nat({ max: 3 }) }), { maxLength: 10 }),
      async (sequence) => {
        let project = await newProject();
        const truths: Truth[] = [];
        let hadProof = false;
        for (const step of sequence as Step[]) {
          project = await take(doors, project, truths, step);
          hadProof ||= truths.some((truth) => truth.provenSha256 !== null);
          if (hadProof) expect(await findNewestVerifiedBackup(catalog.db, project.id)).toBeDefined();
        }
      },
    ),
    { numRuns: 300 },
  );
});

async function newProject(): Promise<ProjectRow> {
  const id = randomUUID() as ProjectId;
  return insertProject(catalog.db, {
    id,
    owner_id: owner,
    slug: `p${id.replaceAll('-', '')}`,
    hash: await freeHash(),
    engine: 'v1_dedicated',
    lifecycle: 'active',
    sealed_secrets: Buffer.from('none'),
    worker_id: null,
  });
}

let counter = 0;
async function freeHash(): Promise<ProjectHash> {
  counter += 1;
  return counter.toString(16).padStart(7, '0') as ProjectHash;
}

type Doors = Parameters<typeof deleteBackup>[0];

/** Carries out a step in the catalog, on the disk and in the test's own record. */
async function take(doors: Doors, project: ProjectRow, truths: Truth[], { step, pick }: Step): Promise<ProjectRow> {
  const truth = truths.at(-1 - pick);
  if (step === 'create' || step === 'fail-to-create') {
    truths.push(await createRow(project, step === 'create'));
    return project;
  }
  if (step === 'change-engine') {
    const engine = project.engine === 'v1_dedicated' ? 'v2_shared' : 'v1_dedicated';
    await catalog.db.updateTable('projects').set({ engine }).where('id', '=', project.id).execute();
    return (await findProjectById(catalog.db, project.id)) as ProjectRow;
  }
  if (truth === undefined) return project;
  await change(doors, project, truth, step);
  return project;
}

async function createRow(project: ProjectRow, complete: boolean): Promise<Truth> {
  const id = randomUUID() as BackupId;
  const path = join(folder, project.id, `${id}.dump`);
  const bytes = `artifact ${id}`;
  await insertBackup(catalog.db, {
    id,
    project_id: project.id,
    kind: backupKindOf(project.engine),
    engine: project.engine,
    status: 'running',
    note: null,
    created_at: new Date(),
  });
  if (!complete) await updateBackup(catalog.db, id, { status: 'failed', failure: 'test' });
  else {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, bytes);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const now = new Date();
    await updateBackup(catalog.db, id, {
      status: 'complete',
      completed_at: now,
      size_bytes: bytes.length,
      sha256,
      manifest_sha256: sha256,
      relative_path: path,
      artifact_validation: 'artifact_valid',
      artifact_validated_at: now,
    });
  }
  return { id, engine: project.engine, path, complete, provenSha256: null };
}

async function change(doors: Doors, project: ProjectRow, truth: Truth, step: Step['step']): Promise<void> {
  const row = await findBackupById(catalog.db, truth.id);
  if (row === undefined) throw new Error('a row has vanished');
  const now = new Date();
  switch (step) {
    case 'verify':
      // As a verification does it: the bytes on the disk decide.
      if (!truth.complete || sha256Of(truth.path) !== row.sha256) return;
      await updateBackup(catalog.db, truth.id, {
        restore_verification: 'restore_verified',
        restore_verified_at: now,
        restore_verification_error: null,
        verified_sha256: row.sha256,
        artifact_validation: 'artifact_valid',
        artifact_validated_at: now,
      });
      truth.provenSha256 = row.sha256;
      return;
    case 'fail-verification':
      if (!truth.complete) return;
      await updateBackup(catalog.db, truth.id, {
        restore_verification: 'restore_failed',
        restore_verified_at: now,
        restore_verification_error: 'test',
        verified_sha256: null,
      });
      truth.provenSha256 = null;
      return;
    case 'invalidate':
      if (!truth.complete || row.restore_verification === 'restore_verified') return;
      await updateBackup(catalog.db, truth.id, {
        artifact_validation: 'artifact_invalid',
        artifact_validated_at: now,
        artifact_validation_error: 'test',
      });
      return;
    case 'tamper':
      if (sha256Of(truth.path) !== null)
        writeFileSync(
          truth.path,
          readFileSync(truth.path).map((byte) => byte ^ 1),
        );
      return;
    case 'truncate':
      if (sha256Of(truth.path) !== null) appendFileSync(truth.path, 'x');
      return;
    case 'lose':
      rmSync(truth.path, { force: true });
      return;
    case 'delete':
      await deleteBackup(doors, project, row, nobody, null).catch((error) => {
        if (!['gate_refused', 'not_ready', 'artifact_gone'].includes(error.code)) throw error;
      });
      return;
    case 'expire':
      // The row says so first; the file goes after it.
      if (!truth.complete || row.removed_at !== null) return;
      await updateBackup(catalog.db, truth.id, { expires_at: now, removed_at: now, removed_by: 'retention' });
      await doors.store.remove({ projectId: project.id, backupId: truth.id });
      return;
    case 'nuke-and-come-back':
      await setProjectLifecycle(catalog.db, project.id, 'removing');
      await markProjectRemoved(catalog.db, project.id, now);
      await catalog.db.updateTable('projects').set({ lifecycle: 'active', removed_at: null }).where('id', '=', project.id).execute();
      return;
    case 'pin':
      await setPinned(doors, project, row, row.pinned ? 'unpinned' : 'pinned', nobody);
      return;
    default:
      throw new Error(`no such step: ${step}`);
  }
}

function sha256Of(path: string): string | null {
  try {
    return createHash('sha256').update(readFileSync(path)).digest('hex');
  } catch {
    return null;
  }
}

it('takes no clearance for another project or another action', async () => {
  const project = await newProject();
  const other = await newProject();
  const decision = await consultGate({ catalog, store: createVolumeStore(folder) }, project, 'nuke', { reason: 'test' }, signal);
  if (decision.kind !== 'cleared') throw new Error('an override clears');

  const redeem = (row: ProjectRow, action: 'nuke' | 'reset') =>
    catalog.db.transaction().execute((db) => redeemClearance(db, decision.clearance, row, action, nobody));
  await expect(redeem(other, 'nuke')).rejects.toThrow('something else');
  await expect(redeem(project, 'reset')).rejects.toThrow('something else');
  await redeem(project, 'nuke');
  const audited = await catalog.db.selectFrom('audit_events').selectAll().where('project_id', '=', project.id).execute();
  expect(audited).toMatchObject([{ action: 'gate.override', details: { for: 'nuke', reason: 'test' } }]);
  expect(await findLatestBackup(catalog.db, project.id)).toBeUndefined();
});
