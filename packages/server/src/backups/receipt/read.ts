import { FluxError } from '@flux/contract/errors';
import type { VerificationId } from '@flux/contract/ids';
import type { ReceiptEnvelope } from '@flux/contract/receipt';
import type { ReceiptList } from '@flux/contract/receipt-answer';
import type { Database } from '../../catalog/open.ts';
import type { ProjectRow } from '../../catalog/projects.ts';
import { listReceipts } from '../../catalog/receipts.ts';
import { parseCursor } from '../list.ts';
import { type BackupSelector, selectBackup } from '../select.ts';

/**
 * The newest receipt of a backup, or that of one of its verifications.
 *
 * @throws FluxError `backup_not_found`; `not_found` when it was never verified
 */
export async function findBackupReceipt(
  db: Database,
  project: ProjectRow,
  selector: BackupSelector,
  verificationId?: VerificationId,
): Promise<ReceiptEnvelope> {
  const backup = await selectBackup(db, project, selector);
  const [newest] = await listReceipts(db, project.id, 1, { backupId: backup.id, verificationId });
  if (newest !== undefined) return newest.envelope;
  const flags = `--project ${project.slug} --hash ${project.hash} --id ${backup.id}`;
  throw verificationId === undefined
    ? new FluxError('not_found', `Backup ${backup.id} has no receipt: no verification of it has ended yet.`, {
        hint: `Verify it with \`flux backup verify ${flags}\`.`,
      })
    : new FluxError('not_found', `Backup ${backup.id} has no verification ${verificationId} with a receipt.`, {
        hint: `See \`flux backup show ${flags}\`.`,
      });
}

const PAGE = 50;

/** A page of a project's receipts, newest first. `cursor` comes from the previous page. */
export async function listProjectReceipts(
  db: Database,
  project: ProjectRow,
  page: { readonly limit?: number | undefined; readonly cursor?: string | undefined },
): Promise<ReceiptList> {
  const limit = page.limit ?? PAGE;
  // One extra row tells whether there is a next page.
  const rows = await listReceipts(db, project.id, limit + 1, { beforeSeq: parseCursor(page.cursor) });
  const shown = rows.slice(0, limit);
  return {
    receipts: shown.map((row) => ({
      verificationId: row.verification_id,
      backupId: row.backup_id,
      sequence: row.seq,
      verdict: row.verdict,
      sha256: row.sha256,
      previousSha256: row.previous_sha256,
      createdAt: row.created_at.toISOString(),
      envelope: row.envelope,
    })),
    nextCursor: rows.length > limit ? String(shown.at(-1)?.seq) : null,
  };
}
