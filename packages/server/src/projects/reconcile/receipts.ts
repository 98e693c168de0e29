import { isFluxError } from '@flux/contract/errors';
import type { BackupId, ProjectHash, ProjectId, VerificationId } from '@flux/contract/ids';
import { backupKindOf } from '@flux/contract/labels';
import { encodeForSigning, type ReceiptStatement } from '@flux/contract/receipt';
import { type ReceiptCopy, readReceiptCopy } from '../../backups/receipt/copy.ts';
import { labelChange } from '../../backups/verify/record.ts';
import { receiptKey } from '../../blobs/artifact-keys.ts';
import { recordAudit } from '../../catalog/audit.ts';
import { findBackupById, insertBackup, updateBackup } from '../../catalog/backups.ts';
import type { Database, DatabaseTransaction } from '../../catalog/open.ts';
import { findProjectById } from '../../catalog/projects.ts';
import { insertReceipt } from '../../catalog/receipts.ts';
import { insertVerification } from '../../catalog/verifications.ts';
import { verifyEd25519 } from '../../system/ed25519.ts';
import { timeOfUuidv7 } from '../../system/uuid.ts';
import { type Adoption, NOBODY, type ReconcileDeps } from './adoption.ts';
import { ensureProject, type ProjectName } from './removed-project.ts';

/** A copy of a receipt whose signature was checked. */
export interface GenuineReceipt {
  readonly projectId: ProjectId;
  readonly sha256: string;
  readonly statement: ReceiptStatement;
  readonly copy: ReceiptCopy;
}

/**
 * Reads the copy of a receipt. Undefined, and logged, for one that none of the keys has signed.
 *
 * @param keys public keys (PEM) by their ids
 */
export async function readGenuineReceipt(
  deps: ReconcileDeps,
  place: { readonly projectId: ProjectId; readonly sequence: number },
  keys: ReadonlyMap<string, string>,
): Promise<GenuineReceipt | undefined> {
  const key = receiptKey(place);
  try {
    const found = await readReceiptCopy(deps.store, key, new AbortController().signal);
    if (found === undefined) throw new Error('it cannot be read');
    const { copy, sha256 } = found;
    const payload = Buffer.from(copy.envelope.payload, 'base64');
    const signed = encodeForSigning(copy.envelope.payloadType, payload);
    const isGenuine = copy.envelope.signatures.some(({ keyid, sig }) => {
      const publicPem = keys.get(keyid);
      return publicPem !== undefined && verifyEd25519(publicPem, signed, Buffer.from(sig, 'base64'));
    });
    if (!isGenuine) throw new Error('no key of this installation has signed it');
    const statement = JSON.parse(payload.toString('utf8')) as ReceiptStatement;
    requireSame(copy, statement, place.sequence);
    await requireOwn(deps.catalog.db, place.projectId, statement);
    return { projectId: place.projectId, sha256, statement, copy };
  } catch (error) {
    if (isFluxError(error, 'catalog_unavailable')) throw error;
    deps.log.warn({ err: error, key }, 'the copy of a receipt was passed over');
    return undefined;
  }
}

/** The proof is not signed itself: what it shares with the statement must be the same. */
function requireSame({ proof, backupId }: ReceiptCopy, { predicate }: ReceiptStatement, sequence: number): void {
  const isSame =
    predicate.sequence === sequence &&
    predicate.backupId === backupId &&
    predicate.verificationId === proof.verificationId &&
    predicate.verdict === proof.verdict &&
    predicate.artifact.readSha256 === proof.artifactSha256;
  if (!isSame) throw new Error('its proof is not the one that it states');
}

/** A statement names its project and its backup; the folder that its copy lies in is not signed. */
async function requireOwn(db: Database, projectId: ProjectId, { predicate }: ReceiptStatement): Promise<void> {
  const { hash, slug } = predicate.project;
  const inFolder = await findProjectById(db, projectId);
  const backup = await findBackupById(db, predicate.backupId as BackupId);
  const isOwn = (inFolder?.hash ?? hash) === hash && (backup?.project_id ?? projectId) === projectId;
  if (!isOwn) throw new Error(`it is of ${slug} (${hash}), whose folder this is not`);
}

/** A receipt that the catalog does not have. */
export function adoptReceipt(deps: ReconcileDeps, receipt: GenuineReceipt): Adoption {
  const { statement, sha256, copy, projectId } = receipt;
  const { predicate } = statement;
  const { project, sequence, verdict, backupId } = predicate;
  return {
    id: `receipt ${projectId}/${sequence}`,
    found: `Receipt ${sequence} of ${project.slug} (${project.hash}), of ${predicate.finishedAt}, says that backup ${backupId} is ${verdict}; the catalog does not have it.`,
    apply: () =>
      deps.catalog.db.transaction().execute(async (db) => {
        await ensureProject(db, deps, { ...nameIn(receipt), id: projectId, engine: predicate.engine });
        await ensureBackup(db, deps, receipt);
        const verification_id = predicate.verificationId as VerificationId;
        const finishedAt = new Date(copy.finishedAt);
        await insertVerification(db, {
          id: verification_id,
          backup_id: backupId as BackupId,
          verdict,
          proof: copy.proof,
          started_at: new Date(copy.startedAt),
          finished_at: finishedAt,
        });
        await insertReceipt(db, {
          verification_id,
          project_id: projectId,
          seq: sequence,
          sha256,
          previous_sha256: predicate.previousReceiptSha256,
          envelope: copy.envelope,
          created_at: finishedAt,
        });
        const row = await findBackupById(db, backupId as BackupId);
        // The label is for these bytes only; another backup of the same id would be a contradiction, which the next verification names.
        const isOfRow = row?.sha256 === predicate.artifact.sha256 && row?.manifest_sha256 === predicate.manifestSha256;
        if (row?.removed_at === null && isOfRow) await updateBackup(db, row.id, labelChange(copy.proof, finishedAt));
        await recordAudit(db, NOBODY, { action: 'receipt.adopted', projectId, subject: verification_id, details: { sequence, verdict } });
      }),
  };
}

/** A receipt is of a backup: where its artifact is gone as well, the row says so. */
async function ensureBackup(db: DatabaseTransaction, { clock }: ReconcileDeps, { statement, projectId }: GenuineReceipt): Promise<void> {
  const { predicate } = statement;
  const id = predicate.backupId as BackupId;
  if ((await findBackupById(db, id)) !== undefined) return;
  await insertBackup(db, {
    id,
    project_id: projectId,
    kind: backupKindOf(predicate.engine),
    engine: predicate.engine,
    status: 'complete',
    note: null,
    origin: predicate.comparedWith === 'archive' ? 'imported' : 'requested',
    created_at: timeOfUuidv7(id),
    completed_at: timeOfUuidv7(id),
    size_bytes: predicate.artifact.sizeBytes,
    sha256: predicate.artifact.sha256,
    manifest_sha256: predicate.manifestSha256,
    postgres_version: predicate.versions.sourcePostgres,
    tables_total: predicate.compared.tables,
    rows_total: predicate.compared.rows,
    removed_at: clock.now(),
    removed_by: 'reconcile: its file was gone',
  });
}

/** How the newest receipt of a project calls it. */
export function nameIn({ statement }: GenuineReceipt): ProjectName {
  const { slug, hash } = statement.predicate.project;
  return { slug, hash: hash as ProjectHash };
}
