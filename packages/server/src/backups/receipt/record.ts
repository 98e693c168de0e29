import { createHash } from 'node:crypto';
import type { VerificationProof } from '@flux/contract/backup';
import type { VerificationId } from '@flux/contract/ids';
import { encodeForSigning, RECEIPT_PAYLOAD_TYPE, type ReceiptEnvelope, type ReceiptStatement } from '@flux/contract/receipt';
import type { BackupRow } from '../../catalog/backups.ts';
import type { DatabaseTransaction } from '../../catalog/open.ts';
import { insertReceipt, lockChainEnd, type ReceiptRow } from '../../catalog/receipts.ts';
import type { Seal } from '../../system/seal.ts';
import { openSigner, type Signer, type SigningDeps } from './keys.ts';
import { stateVerification } from './statement.ts';

/** The facts of a finished verification that its receipt needs. */
export interface EndedVerification {
  readonly backup: BackupRow;
  readonly proof: VerificationProof;
  readonly startedAt: Date;
  readonly finishedAt: Date;
}

/** The seal that decrypts the signing key, and the version of Flux that receipts name. */
export interface ReceiptSigning {
  readonly seal: Seal;
  readonly fluxVersion: string;
}

/**
 * Signs the result of a verification and appends it to the chain of its project. MUST run in the transaction that records the verdict, so
 * that neither exists without the other and the chain has no gap.
 */
export async function recordReceipt(
  db: DatabaseTransaction,
  signing: ReceiptSigning & SigningDeps,
  ended: EndedVerification,
): Promise<ReceiptRow> {
  const { project, last } = await lockChainEnd(db, ended.backup.project_id);
  const sequence = (last?.seq ?? 0) + 1;
  const previousReceiptSha256 = last?.sha256 ?? null;
  const statement = stateVerification({ ...ended, project, sequence, previousReceiptSha256, fluxVersion: signing.fluxVersion });
  const { envelope, payloadSha256 } = signStatement(statement, await openSigner(db, signing));
  const row: ReceiptRow = {
    verification_id: ended.proof.verificationId as VerificationId,
    project_id: project.id,
    seq: sequence,
    sha256: payloadSha256,
    previous_sha256: previousReceiptSha256,
    envelope,
    created_at: ended.finishedAt,
  };
  await insertReceipt(db, row);
  return row;
}

/** Wraps a statement in a signed envelope. The digest is that of the payload, so it does not depend on the formatting of the envelope. */
function signStatement(
  statement: ReceiptStatement,
  signer: Signer,
): { readonly envelope: ReceiptEnvelope; readonly payloadSha256: string } {
  const payload = Buffer.from(JSON.stringify(statement), 'utf8');
  const signature = signer.sign(encodeForSigning(RECEIPT_PAYLOAD_TYPE, payload));
  return {
    envelope: {
      payloadType: RECEIPT_PAYLOAD_TYPE,
      payload: payload.toString('base64'),
      signatures: [{ keyid: signer.keyId, sig: signature.toString('base64') }],
    },
    payloadSha256: createHash('sha256').update(payload).digest('hex'),
  };
}
