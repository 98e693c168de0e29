import { VerificationProof } from '@flux/contract/backup';
import type { BackupId, VerificationId } from '@flux/contract/ids';
import type { Insertable } from 'kysely';
import type { Database } from './open.ts';
import { parseStored, toStoredJson } from './stored-json.ts';
import type { VerificationsTable } from './tables.ts';

export async function insertVerification(
  db: Database,
  row: Omit<Insertable<VerificationsTable>, 'proof'> & { readonly proof: VerificationProof },
): Promise<void> {
  await db
    .insertInto('verifications')
    .values({ ...row, proof: toStoredJson(row.proof) })
    .execute();
}

/** One verification with its proof. @throws FluxError `internal` when the proof cannot be read */
export async function findVerification(
  db: Database,
  id: VerificationId,
): Promise<
  { readonly backupId: BackupId; readonly startedAt: Date; readonly finishedAt: Date; readonly proof: VerificationProof } | undefined
> {
  const row = await db.selectFrom('verifications').selectAll().where('id', '=', id).executeTakeFirst();
  if (row === undefined) return undefined;
  const proof = parseStored(VerificationProof, row.proof, `The proof of verification ${id}`);
  return { backupId: row.backup_id, startedAt: row.started_at, finishedAt: row.finished_at, proof };
}

/** The proofs of one backup, newest first. @throws FluxError `internal` for one that cannot be read */
export async function listVerifications(db: Database, backupId: BackupId, limit: number): Promise<readonly VerificationProof[]> {
  const rows = await db
    .selectFrom('verifications')
    .select('proof')
    .where('backup_id', '=', backupId)
    .orderBy('finished_at', 'desc')
    .limit(limit)
    .execute();
  return rows.map(({ proof }) => parseStored(VerificationProof, proof, `A proof of backup ${backupId}`));
}
