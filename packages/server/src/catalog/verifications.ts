import { VerificationProof } from '@flux/contract/backup';
import type { BackupId } from '@flux/contract/ids';
import type { Insertable } from 'kysely';
import type { Database } from './open.ts';
import { parseStored } from './stored-json.ts';
import type { VerificationsTable } from './tables.ts';

export async function insertVerification(
  db: Database,
  row: Omit<Insertable<VerificationsTable>, 'proof'> & { readonly proof: VerificationProof },
): Promise<void> {
  await db
    .insertInto('verifications')
    .values({ ...row, proof: JSON.stringify(row.proof) })
    .execute();
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
