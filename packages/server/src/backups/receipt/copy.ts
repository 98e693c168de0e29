import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { VerificationProof } from '@flux/contract/backup';
import { ReceiptEnvelope } from '@flux/contract/receipt-answer';
import * as z from 'zod';
import { receiptKey, signingKeyKey } from '../../blobs/artifact-keys.ts';
import type { BlobStore } from '../../blobs/store.ts';
import type { Catalog } from '../../catalog/open.ts';
import { listNewestReceipts, type ReceiptRow } from '../../catalog/receipts.ts';
import { findSigningKey } from '../../catalog/signing-keys.ts';
import { findVerification } from '../../catalog/verifications.ts';
import type { Log } from '../../system/log.ts';

/** A receipt as it lies beside the artifacts, with the proof that it is a short statement of. */
export const ReceiptCopy = z.object({
  format: z.literal(1),
  envelope: ReceiptEnvelope,
  backupId: z.uuid(),
  startedAt: z.iso.datetime(),
  finishedAt: z.iso.datetime(),
  proof: VerificationProof,
});
export type ReceiptCopy = z.infer<typeof ReceiptCopy>;

/** A key that signs receipts as it lies beside the artifacts. That it can be unsealed shows that it is of this installation. */
export const SigningKeyCopy = z.object({
  format: z.literal(1),
  id: z.string(),
  publicKey: z.string(),
  sealedPrivateKey: z.base64(),
  createdAt: z.iso.datetime(),
});
export type SigningKeyCopy = z.infer<typeof SigningKeyCopy>;

const TIMEOUT_MS = 30_000;

/** What copying receipts uses. */
export interface ReceiptCopyDeps {
  readonly catalog: Catalog;
  readonly store: BlobStore;
  readonly log: Log;
}

/**
 * Stores a copy of a receipt beside the artifacts, from which `flux-server reconcile` brings back what an older catalog has lost. Never
 * throws: the verdict is recorded, and the next start tries again.
 */
export async function copyReceipt({ catalog, store, log }: ReceiptCopyDeps, row: ReceiptRow): Promise<void> {
  try {
    const found = await findVerification(catalog.db, row.verification_id);
    if (found === undefined) return;
    const copy: ReceiptCopy = {
      format: 1,
      envelope: { ...row.envelope, signatures: [...row.envelope.signatures] },
      backupId: found.backupId,
      startedAt: found.startedAt.toISOString(),
      finishedAt: found.finishedAt.toISOString(),
      proof: found.proof,
    };
    const key = receiptKey({ projectId: row.project_id, sequence: row.seq });
    const there = await readReceiptCopy(store, key, AbortSignal.timeout(TIMEOUT_MS));
    // The other one was handed out as well: doctor tells of the two.
    if (there !== undefined && there.sha256 !== row.sha256)
      return log.error({ key, verification: row.verification_id }, 'the store has another receipt of this number; it stays');
    await copySigningKeys(
      { catalog, store },
      row.envelope.signatures.map(({ keyid }) => keyid),
    );
    await store.put(key, Readable.from([Buffer.from(JSON.stringify(copy))]), { signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch (error) {
    log.warn(
      { err: error, verification: row.verification_id },
      'a receipt could not be copied to the backup store; the next start tries again',
    );
  }
}

/** Reads a copy, with the digest of its payload. Undefined when there is none that can be read. */
export async function readReceiptCopy(
  store: BlobStore,
  key: string,
  signal: AbortSignal,
): Promise<{ readonly copy: ReceiptCopy; readonly sha256: string } | undefined> {
  if ((await store.stat(key, signal)) === undefined) return undefined;
  const pieces: Buffer[] = [];
  for await (const piece of await store.get(key, { signal })) pieces.push(Buffer.from(piece));
  try {
    const copy = ReceiptCopy.parse(JSON.parse(Buffer.concat(pieces).toString('utf8')));
    return { copy, sha256: createHash('sha256').update(Buffer.from(copy.envelope.payload, 'base64')).digest('hex') };
  } catch {
    return undefined;
  }
}

/** Stores copies of the keys that signed a receipt: without them, nobody could continue or check what they signed. */
async function copySigningKeys({ catalog, store }: Pick<ReceiptCopyDeps, 'catalog' | 'store'>, ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    if ((await store.stat(signingKeyKey(id), signal)) !== undefined) continue;
    const key = await findSigningKey(catalog.db, id);
    if (key === undefined) continue;
    const copy: SigningKeyCopy = {
      format: 1,
      id,
      publicKey: key.public_key,
      sealedPrivateKey: key.sealed_private_key.toString('base64'),
      createdAt: key.created_at.toISOString(),
    };
    await store.put(signingKeyKey(id), Readable.from([Buffer.from(JSON.stringify(copy))]), { signal });
  }
}

/** Copies the newest receipt of each project where a crash has left it out. */
export async function copyMissingReceipts(deps: ReceiptCopyDeps): Promise<void> {
  for (const row of await listNewestReceipts(deps.catalog.db)) {
    const key = receiptKey({ projectId: row.project_id, sequence: row.seq });
    const there = await deps.store.stat(key, AbortSignal.timeout(TIMEOUT_MS)).catch(() => 'unknown' as const);
    if (there === undefined) await copyReceipt(deps, row);
  }
}
