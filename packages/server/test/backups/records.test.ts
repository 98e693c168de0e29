import { appendFileSync, copyFileSync, renameSync, rmSync } from 'node:fs';
import type { VerificationProof } from '@flux/contract/backup';
import type { BackupId, VerificationId } from '@flux/contract/ids';
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { findProblem } from '../../src/backups/reading.ts';
import { findBackupReceipt } from '../../src/backups/receipt/read.ts';
import { readAgreedManifest } from '../../src/backups/records.ts';
import { recordVerification } from '../../src/backups/verify/record.ts';
import { type VerifyDeps, verifyBackup } from '../../src/backups/verify/run.ts';
import type { ProjectRow } from '../../src/catalog/projects.ts';
import { uuidv7 } from '../../src/system/uuid.ts';
import { type BackupPlace, openBackupPlace, unrivalled } from './place.ts';
import { task, verifyingDeps } from './verifying.ts';

let place: BackupPlace;
let deps: VerifyDeps;
let project: ProjectRow;
let made: { readonly id: BackupId; readonly path: string; readonly manifest: string };
/** The copy of the manifest beside the artifact. */
let copy: string;

const OTHER = 'b'.repeat(64);

beforeAll(async () => {
  place = await openBackupPlace();
  deps = verifyingDeps(place.deps, place.folder);
});
afterAll(() => place?.[Symbol.asyncDispose]());
beforeEach(async () => {
  project = await place.newProject();
  made = await place.addBackup(project, 'complete');
  copy = made.manifest;
  await recordProof('restorable');
});

async function recordProof(verdict: VerificationProof['verdict']): Promise<void> {
  const row = await place.rowOf(made.id);
  const now = new Date();
  const proof: VerificationProof = {
    verificationId: uuidv7(now) as VerificationId,
    backupId: row.id,
    verdict,
    summary: 'test',
    postgresVersion: '15.18',
    sandbox: 'bubblewrap',
    artifactSha256: row.sha256,
    tablesCompared: 0,
    rowsCompared: 0,
    bytesRead: row.size_bytes ?? 0,
    objectsCompared: {},
    differences: [],
    toolOutput: null,
    durationMs: 1,
    phasesMs: {},
    receiptId: null,
  };
  await recordVerification(deps, row, proof, now, unrivalled);
}

const run = async (statement: ReturnType<typeof sql>) => void (await statement.execute(place.catalog.db));
const set = async (table: 'backups' | 'backup_manifests' | 'copies', change: ReturnType<typeof sql>) =>
  run(sql`update ${sql.table(table)} set ${change} where ${sql.ref(table === 'backups' ? 'id' : 'backup_id')} = ${made.id}`);

/** Each place that says which bytes the backup consists of: how it is changed, and how the change is named. */
const CHANGES: readonly (readonly [string, RegExp, () => Promise<void> | void])[] = [
  [
    'the text of the manifest in the catalog',
    /Its manifest does not have one SHA-256 digest: [0-9a-f]{64} by the text in the catalog \(backup_manifests\.manifest\), but/,
    () => set('backup_manifests', sql`manifest = manifest || ' '`),
  ],
  [
    'the digest beside that text',
    /Its manifest .*: b{64} by the catalog \(backup_manifests\.sha256\), but/,
    () => set('backup_manifests', sql`sha256 = ${OTHER}`),
  ],
  [
    'the digest of the manifest in the row of the backup',
    /Its manifest .*: b{64} by the catalog \(backups\.manifest_sha256\), but/,
    () => set('backups', sql`manifest_sha256 = ${OTHER}`),
  ],
  [
    'the copy of the manifest beside the artifact',
    /Its manifest .*: [0-9a-f]{64} by its copy on the backup volume \(.*\.manifest\.json\), but/,
    () => appendFileSync(copy, ' '),
  ],
  [
    'the manifest in every place but the signed receipt',
    /Its manifest .*: [0-9a-f]{64} by the signed receipt 1, but/,
    async () => {
      await set('backup_manifests', sql`manifest = manifest || ' ', sha256 = encode(sha256(convert_to(manifest || ' ', 'UTF8')), 'hex')`);
      await run(sql`update backups set manifest_sha256 = m.sha256 from backup_manifests m where m.backup_id = id and id = ${made.id}`);
      appendFileSync(copy, ' ');
    },
  ],
  [
    'the digest of the artifact in the row of the backup',
    /Its artifact .*: b{64} by the catalog \(backups\.sha256\), but [0-9a-f]{64} by the catalog \(copies\.stored_sha256, local\) and the signed receipt 1/,
    () => set('backups', sql`sha256 = ${OTHER}, verified_sha256 = ${OTHER}`),
  ],
  [
    'the digest of the artifact in the catalog as a whole',
    /Its artifact .*: [0-9a-f]{64} by the signed receipt 1, but/,
    async () => {
      await set('backups', sql`sha256 = ${OTHER}, verified_sha256 = ${OTHER}`);
      await set('copies', sql`stored_sha256 = ${OTHER}`);
    },
  ],
  [
    'a receipt',
    /Its receipt 1 in the catalog \(receipts\) was changed after it was signed/,
    () =>
      run(sql`update receipts set envelope = jsonb_set(envelope, '{payload}', to_jsonb(
        encode(convert_to(replace(convert_from(decode(envelope->>'payload', 'base64'), 'UTF8'), 'manifestSha256":"', 'manifestSha256":"0'), 'UTF8'), 'base64')))
        where project_id = ${project.id}`),
  ],
];

it.each(CHANGES)('a change of %s is named, and neither proves nor condemns the backup', async (_where, named, change) => {
  const before = await place.rowOf(made.id);
  await change();
  const { proof } = await verifyBackup(deps, made.id, task);
  expect(proof.verdict).toBe('inconclusive');
  expect(proof.summary).toMatch(/^What is recorded of backup \S+ contradicts itself\. /);
  expect(proof.summary).toMatch(named);
  expect(proof.summary).toContain('verify again, or create another backup with `flux backup create --verify`');
  const { restore_verification, artifact_validation, last_problem } = await place.rowOf(made.id);
  expect({ restore_verification, artifact_validation }).toEqual({
    restore_verification: before.restore_verification,
    artifact_validation: before.artifact_validation,
  });
  expect(last_problem).toMatch(named);
});

it.each(CHANGES)('after a change of %s, the backup is no way back for the gate', async (_where, named, change) => {
  const asked = async () => findProblem(deps, await place.rowOf(made.id), 'the gate', task.signal);
  expect(await asked()).toBeUndefined();
  await change();
  const found = await asked();
  if (!found?.startsWith("The artifact's SHA-256 is")) expect(found).toMatch(named);
});

it('agrees with itself when nothing was changed, also after verifications that proved nothing', async () => {
  const agreed = async () => (await readAgreedManifest(deps, await place.rowOf(made.id), task.signal)).version;
  expect(await agreed()).toBe(3);
  // What such a receipt repeats of a changed catalog must not count when the catalog is right again.
  const { manifest_sha256 } = await place.rowOf(made.id);
  await set('backups', sql`manifest_sha256 = ${OTHER}`);
  expect((await verifyBackup(deps, made.id, task)).proof.verdict).toBe('inconclusive');
  await set('backups', sql`manifest_sha256 = ${manifest_sha256}`);
  expect(await agreed()).toBe(3);
  expect((await findBackupReceipt(place.catalog.db, project, made.id)).signatures).toHaveLength(1);
});

it('is not contradicted by a copy of the manifest that does not exist, nor by receipts of a key that is not published any more', async () => {
  renameSync(copy, `${copy}.away`);
  const agreed = async () => (await readAgreedManifest(deps, await place.rowOf(made.id), task.signal)).version;
  expect(await agreed()).toBe(3);
  copyFileSync(`${copy}.away`, copy);
  rmSync(`${copy}.away`);
  await run(sql`delete from signing_keys`);
  expect(await agreed()).toBe(3);
  deps = verifyingDeps(place.deps, place.folder);
});
