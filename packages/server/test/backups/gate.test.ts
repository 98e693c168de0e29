import { appendFileSync, rmSync } from 'node:fs';
import type { BackupId } from '@flux/contract/ids';
import type { EngineKind } from '@flux/contract/labels';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { isSampled } from '../../../../scripts/tiers.ts';
import { consultGate, redeemClearance, requireDeletion } from '../../src/backups/gate.ts';
import { removeArtifact, setPinned } from '../../src/backups/keep.ts';
import { deleteArtifact } from '../../src/blobs/artifact-keys.ts';
import { findLatestBackup, updateBackup } from '../../src/catalog/backups.ts';
import { findProjectById, markProjectRemoved, markProjectRemoving, type ProjectRow } from '../../src/catalog/projects.ts';
import { type BackupPlace, flip, nobody, openBackupPlace, sha256Of, unrivalled } from './place.ts';

let place: BackupPlace;
const signal = new AbortController().signal;

beforeAll(async () => {
  place = await openBackupPlace();
});
afterAll(() => place?.[Symbol.asyncDispose]());

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

const CREATE: Step = { step: 'create', pick: 0 };

/** What is true of one backup, kept beside the catalog by rules of the test's own. */
interface Truth {
  readonly id: BackupId;
  readonly engine: EngineKind;
  readonly path: string;
  readonly writtenSha256: string | null;
  complete: boolean;
  provenSha256: string | null;
}

/** Sequences against a real catalog and real files; thousands of them are half a minute on a quiet machine. */
const RUNS = isSampled() ? 300 : 2000;
const LONG = { timeout: 600_000 };

it('is never open without a newest backup that is proven, present, unchanged, of this project and engine', LONG, async () => {
  const steps = fc.array(fc.record({ step: fc.constantFrom(...LIKELY), pick: fc.constantFrom(0, 0, 0, 1, 2) }), {
    minLength: 1,
    maxLength: 9,
  });
  let opened = 0;
  let shut = 0;
  await fc.assert(
    fc.asyncProperty(steps, async (sequence) => {
      let project = await place.newProject();
      const truths: Truth[] = [];
      for (const step of sequence) {
        project = await take(project, truths, step);
        const decision = await consultGate(place.deps, project, 'nuke', null, signal);
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
    { numRuns: RUNS },
  );
  // A gate that never opens would pass the above; so would one whose sequences never get there.
  expect(opened).toBeGreaterThan(RUNS / 10);
  expect(shut).toBeGreaterThan(RUNS / 2);
});

it('leaves good bytes behind, and proven ones where there were any, whatever is deleted without an override', LONG, async () => {
  const likely = ['create', 'create', 'verify', 'verify', 'verify', 'tamper', 'lose', 'truncate', 'fail-verification', 'pin'] as const;
  const step = fc.record({ step: fc.constantFrom(...likely, 'delete', 'delete', 'delete', 'delete'), pick: fc.nat({ max: 2 }) });
  // Two backups to begin with: of one that is alone, no deletion is ever allowed.
  const steps = fc.array(step, { minLength: 5, maxLength: 10 }).map((later): Step[] => [CREATE, CREATE, ...later]);
  let deleted = 0;
  let kept = 0;
  await fc.assert(
    fc.asyncProperty(steps, async (sequence) => {
      let project = await place.newProject();
      const truths: Truth[] = [];
      for (const step of sequence) {
        const before = waysBack(truths);
        const picked = truths.at(-1 - step.pick);
        const isThere = async () => picked !== undefined && (await place.rowOf(picked.id)).removed_at === null;
        const isAsked = step.step === 'delete' && (await isThere());
        project = await take(project, truths, step);
        if (!isAsked) continue;
        if (await isThere()) {
          kept += 1;
          continue;
        }
        deleted += 1;
        const after = waysBack(truths);
        expect(after.good.length, JSON.stringify(sequence)).toBeGreaterThan(0);
        // The newest proven bytes that were good are still good.
        expect(after.proven.at(-1), JSON.stringify(sequence)).toBe(before.proven.at(-1));
      }
    }),
    { numRuns: isSampled() ? 100 : 300 },
  );
  expect(deleted).toBeGreaterThan(5);
  expect(kept).toBeGreaterThan(15);
});

/** The backups whose bytes on the disk are those that were written, and among them those that were proven; oldest first. */
function waysBack(truths: readonly Truth[]): { readonly good: BackupId[]; readonly proven: BackupId[] } {
  const good = truths.filter(({ complete, path, writtenSha256 }) => complete && sha256Of(path) === writtenSha256);
  const ids = (some: readonly Truth[]) => some.map(({ id }) => id);
  return { good: ids(good), proven: ids(good.filter(({ provenSha256 }) => provenSha256 !== null)) };
}

/** Carries out a step in the catalog, on the disk and in the test's own record. */
async function take(project: ProjectRow, truths: Truth[], { step, pick }: Step): Promise<ProjectRow> {
  const truth = truths.at(-1 - pick);
  if (step === 'create' || step === 'fail-to-create') {
    const { id, path } = await place.addBackup(project, step === 'create' ? 'complete' : 'failed');
    truths.push({ id, engine: project.engine, path, complete: step === 'create', provenSha256: null, writtenSha256: sha256Of(path) });
    return project;
  }
  if (step === 'change-engine') {
    const engine = project.engine === 'v1_dedicated' ? 'v2_shared' : 'v1_dedicated';
    await place.catalog.db.updateTable('projects').set({ engine }).where('id', '=', project.id).execute();
    return (await findProjectById(place.catalog.db, project.id)) as ProjectRow;
  }
  if (truth === undefined) return project;
  await change(project, truth, step);
  return project;
}

async function change(project: ProjectRow, truth: Truth, step: Step['step']): Promise<void> {
  const { catalog, deps } = place;
  const row = await place.rowOf(truth.id);
  const now = new Date();
  switch (step) {
    case 'verify':
      // As a verification does it: the bytes on the disk decide.
      if (!truth.complete || sha256Of(truth.path) !== row.sha256) return;
      await place.verify(truth.id);
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
      if (sha256Of(truth.path) !== null) flip(truth.path);
      return;
    case 'truncate':
      if (sha256Of(truth.path) !== null) appendFileSync(truth.path, 'x');
      return;
    case 'lose':
      rmSync(truth.path, { force: true });
      return;
    case 'delete':
      try {
        const clearance = await requireDeletion(deps, project, row, null, signal);
        await removeArtifact(deps, project, row, nobody, clearance, unrivalled);
      } catch (error) {
        if (!['gate_refused', 'not_ready', 'artifact_gone'].includes((error as { code?: string }).code ?? '')) throw error;
      }
      return;
    case 'expire':
      // The row says so first; the file goes after it.
      if (!truth.complete || row.removed_at !== null) return;
      await updateBackup(catalog.db, truth.id, { expires_at: now, removed_at: now, removed_by: 'retention' });
      await deleteArtifact(deps.store, { projectId: project.id, backupId: truth.id });
      return;
    case 'nuke-and-come-back':
      await markProjectRemoving(catalog.db, project.id);
      await markProjectRemoved(catalog.db, project.id, now);
      await catalog.db.updateTable('projects').set({ lifecycle: 'active', removed_at: null }).where('id', '=', project.id).execute();
      return;
    case 'pin':
      await setPinned(deps, project, row, row.pinned ? 'unpinned' : 'pinned', nobody);
      return;
    default:
      throw new Error(`no such step: ${step}`);
  }
}

it('takes no clearance for another project or another action', async () => {
  const project = await place.newProject();
  const other = await place.newProject();
  const decision = await consultGate(place.deps, project, 'nuke', { reason: 'test' }, signal);
  if (decision.kind !== 'cleared') throw new Error('an override clears');
  const { db } = place.catalog;

  const redeem = (row: ProjectRow, action: 'nuke' | 'reset') =>
    db.transaction().execute((transaction) => redeemClearance(transaction, decision.clearance, row, action, nobody));
  await expect(redeem(other, 'nuke')).rejects.toThrow('does not match this project and action');
  await expect(redeem(project, 'reset')).rejects.toThrow('does not match this project and action');
  await redeem(project, 'nuke');
  const audited = await db.selectFrom('audit_events').selectAll().where('project_id', '=', project.id).execute();
  expect(audited).toMatchObject([{ action: 'gate.override', details: { for: 'nuke', reason: 'test' } }]);
  expect(await findLatestBackup(db, project.id)).toBeUndefined();
});
