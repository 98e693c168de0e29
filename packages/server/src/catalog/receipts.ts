import type { BackupId, ProjectId, VerificationId } from '@flux/contract/ids';
import type { ReceiptEnvelope } from '@flux/contract/receipt';
import { ReceiptEnvelope as EnvelopeSchema } from '@flux/contract/receipt-answer';
import { sql } from 'kysely';
import type { Database, DatabaseTransaction } from './open.ts';
import type { ProjectRow } from './projects.ts';
import { parseStored, toStoredJson } from './stored-json.ts';

/** A link of a project's chain of receipts. */
export interface ReceiptRow {
  readonly verification_id: VerificationId;
  readonly project_id: ProjectId;
  /** From 1, without a gap. */
  readonly seq: number;
  /** SHA-256 of the payload. */
  readonly sha256: string;
  readonly previous_sha256: string | null;
  readonly envelope: ReceiptEnvelope;
  readonly created_at: Date;
}

/** A receipt with what its verification was about. */
export type ListedReceipt = ReceiptRow & { readonly backup_id: BackupId; readonly verdict: 'restorable' | 'failed' | 'inconclusive' };

/** Locks the end of a project's chain until the transaction ends, so that two receipts never follow the same one. */
export async function lockChainEnd(
  db: DatabaseTransaction,
  projectId: ProjectId,
): Promise<{ readonly project: ProjectRow; readonly last: { readonly seq: number; readonly sha256: string } | undefined }> {
  const project = await db.selectFrom('projects').selectAll().where('id', '=', projectId).forNoKeyUpdate().executeTakeFirstOrThrow();
  const last = await db
    .selectFrom('receipts')
    .select(['seq', 'sha256'])
    .where('project_id', '=', projectId)
    .orderBy('seq', 'desc')
    .limit(1)
    .executeTakeFirst();
  return { project, last };
}

/** The newest receipt of each project. @throws FluxError `internal` for one whose envelope cannot be read */
export async function listNewestReceipts(db: Database): Promise<readonly ReceiptRow[]> {
  const rows = await db.selectFrom('receipts').selectAll().distinctOn('project_id').orderBy('project_id').orderBy('seq', 'desc').execute();
  return rows.map((row) => ({ ...row, envelope: parseStored(EnvelopeSchema, row.envelope, `Receipt ${row.verification_id}`) }));
}

/** The links of a project's chain, the first one first; `payload` is base64. */
export async function listChain(
  db: Database,
  projectId: ProjectId,
): Promise<readonly { readonly seq: number; readonly sha256: string; readonly previousSha256: string | null; readonly payload: string }[]> {
  return db
    .selectFrom('receipts')
    .select(['seq', 'sha256', 'previous_sha256 as previousSha256', sql<string>`envelope ->> 'payload'`.as('payload')])
    .where('project_id', '=', projectId)
    .orderBy('seq')
    .execute();
}

export async function insertReceipt(db: DatabaseTransaction, row: ReceiptRow): Promise<void> {
  await db
    .insertInto('receipts')
    .values({ ...row, envelope: toStoredJson(row.envelope) })
    .execute();
}

/**
 * Receipts of a project, newest first; of one backup or one verification when that is asked for.
 *
 * @throws FluxError `internal` for one whose envelope cannot be read
 */
export async function listReceipts(
  db: Database,
  projectId: ProjectId,
  limit: number,
  only: { readonly beforeSeq?: number | undefined; readonly backupId?: BackupId; readonly verificationId?: VerificationId | undefined },
): Promise<readonly ListedReceipt[]> {
  let query = db
    .selectFrom('receipts')
    .innerJoin('verifications', 'verifications.id', 'receipts.verification_id')
    .selectAll('receipts')
    .select(['verifications.backup_id', 'verifications.verdict'])
    .where('receipts.project_id', '=', projectId);
  if (only.beforeSeq !== undefined) query = query.where('receipts.seq', '<', only.beforeSeq);
  if (only.backupId !== undefined) query = query.where('verifications.backup_id', '=', only.backupId);
  if (only.verificationId !== undefined) query = query.where('receipts.verification_id', '=', only.verificationId);
  const rows = await query.orderBy('receipts.seq', 'desc').limit(limit).execute();
  return rows.map((row) => ({ ...row, envelope: parseStored(EnvelopeSchema, row.envelope, `Receipt ${row.verification_id}`) }));
}
