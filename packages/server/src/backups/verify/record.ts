import type { VerificationProof } from '@flux/contract/backup';
import type { VerificationId } from '@flux/contract/ids';
import { recordAudit } from '../../catalog/audit.ts';
import { type BackupRow, updateBackup } from '../../catalog/backups.ts';
import { toStoredJson } from '../../catalog/stored-json.ts';
import { insertVerification } from '../../catalog/verifications.ts';
import type { Task } from '../../operations/define.ts';
import { boundLeftOut, leftOutOf } from '../left-out.ts';
import { copyReceipt } from '../receipt/copy.ts';
import { recordReceipt } from '../receipt/record.ts';
import type { VerifyDeps } from './run.ts';

const SYSTEM = { userId: null, tokenId: null };

/**
 * Records a verdict: proof, label, signed receipt and audit in one transaction. An inconclusive one does not change the label
 * and only records what went wrong.
 */
export async function recordVerification(
  deps: VerifyDeps,
  row: BackupRow,
  proof: VerificationProof,
  startedAt: Date,
  task: Pick<Task, 'requireHeld'>,
): Promise<void> {
  const now = deps.clock.now();
  const receipt = await deps.catalog.db.transaction().execute(async (db) => {
    await task.requireHeld(db);
    await insertVerification(db, {
      id: proof.verificationId as VerificationId,
      backup_id: row.id,
      verdict: proof.verdict,
      proof,
      started_at: startedAt,
      finished_at: now,
    });
    await updateBackup(db, row.id, { ...labelChange(proof, now), ...leftOutChange(proof) });
    const made = await recordReceipt(db, { ...deps.signing, clock: deps.clock }, { backup: row, proof, startedAt, finishedAt: now });
    await recordAudit(db, SYSTEM, {
      action: 'backup.verified',
      projectId: row.project_id,
      subject: row.id,
      details: { verdict: proof.verdict, verificationId: proof.verificationId },
    });
    return made;
  });
  await copyReceipt(deps, receipt);
  deps.log.info({ backup: row.id, verdict: proof.verdict, ms: proof.durationMs }, 'verification ended');
}

/** Only a comparison knows everything that does not come back. */
function leftOutChange(proof: VerificationProof): Pick<Parameters<typeof updateBackup>[2], 'left_out'> {
  return proof.verdict === 'restorable' ? { left_out: toStoredJson(boundLeftOut(leftOutOf(proof))) } : {};
}

/** What a verdict changes in the row of its backup. */
export function labelChange(proof: VerificationProof, now: Date): Parameters<typeof updateBackup>[2] {
  switch (proof.verdict) {
    case 'restorable':
      // A constraint of the table refuses this when the digest is not that of the row: the label is only for these bytes.
      return {
        artifact_validation: 'artifact_valid',
        artifact_validated_at: now,
        artifact_validation_error: null,
        restore_verification: 'restore_verified',
        restore_verified_at: now,
        restore_verification_error: null,
        verified_sha256: proof.artifactSha256,
        last_problem: null,
        last_problem_at: null,
      };
    case 'failed':
      return {
        restore_verification: 'restore_failed',
        restore_verified_at: now,
        restore_verification_error: proof.summary,
        verified_sha256: null,
        last_problem: null,
        last_problem_at: null,
      };
    case 'inconclusive':
      return { last_problem: proof.summary, last_problem_at: now };
  }
}
