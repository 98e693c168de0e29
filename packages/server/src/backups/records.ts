import { createHash } from 'node:crypto';
import { isFluxError } from '@flux/contract/errors';
import { encodeForSigning, type ReceiptEnvelope, type ReceiptStatement } from '@flux/contract/receipt';
import { findStatementProblem } from '@flux/contract/receipt-shape';
import { manifestKey } from '../blobs/artifact-keys.ts';
import type { BlobStore } from '../blobs/store.ts';
import type { BackupRow } from '../catalog/backups.ts';
import { listCopies } from '../catalog/copies.ts';
import type { Catalog, Database } from '../catalog/open.ts';
import { listReceipts } from '../catalog/receipts.ts';
import { listSigningKeys } from '../catalog/signing-keys.ts';
import { parseManifest } from '../postgres/manifest/schema.ts';
import type { Manifest } from '../postgres/manifest.ts';
import { verifyEd25519 } from '../system/ed25519.ts';
import { readManifestText, requireAgreement } from './manifest.ts';
import { findDisagreement, type Witness } from './witnesses.ts';

/**
 * The manifest to compare a restore with, after everything that was recorded of the backup has been compared: the text of the manifest,
 * its digests in the catalog, its copy beside the artifact, the digests of the artifact in the catalog, and what earlier signed receipts
 * say of both. When they contradict each other, nothing can be proven or disproven with them.
 *
 * A copy of the manifest that does not exist contradicts nothing.
 *
 * @throws FluxError `verification_inconclusive`, which names what differs; `volume_unusable`
 */
export async function readAgreedManifest(
  { catalog, store }: { readonly catalog: Pick<Catalog, 'db'>; readonly store: BlobStore },
  row: BackupRow,
  signal: AbortSignal,
): Promise<Manifest> {
  const { text, witnesses } = await readManifestText(catalog.db, row);
  const proven = await readProvenDigests(catalog.db, row);
  requireAgreement(
    row,
    proven.forged,
    findDisagreement('Its manifest', [...witnesses, ...(await hashCopy(store, row, signal)), ...proven.manifest]),
    findDisagreement('Its artifact', [...(await listRecorded(catalog.db, row)), ...proven.artifact]),
  );
  return parseManifest(text);
}

async function hashCopy(store: BlobStore, row: BackupRow, signal: AbortSignal): Promise<readonly Witness[]> {
  const key = manifestKey({ projectId: row.project_id, backupId: row.id });
  const hash = createHash('sha256');
  try {
    for await (const piece of await store.get(key, { signal })) hash.update(piece);
  } catch (error) {
    if (isFluxError(error, 'artifact_gone')) return [];
    throw error;
  }
  return [{ place: `its copy on the backup volume (${key})`, sha256: hash.digest('hex') }];
}

async function listRecorded(db: Database, row: BackupRow): Promise<readonly Witness[]> {
  const recorded: Witness[] = [];
  if (row.sha256 !== null) recorded.push({ place: 'the catalog (backups.sha256)', sha256: row.sha256 });
  for (const copy of await listCopies(db, [row.id])) {
    // A store that encrypts or compresses has other bytes.
    if (copy.stored_size_bytes !== row.size_bytes) continue;
    recorded.push({ place: `the catalog (copies.stored_sha256, ${copy.store})`, sha256: copy.stored_sha256 });
  }
  return recorded;
}

interface ProvenDigests {
  readonly manifest: readonly Witness[];
  readonly artifact: readonly Witness[];
  /** A receipt that was changed after it was signed, in one sentence. */
  readonly forged: string | undefined;
}

const RECEIPTS_READ = 1000;

/**
 * What earlier receipts say that have proven this backup. One that proved nothing only repeats what the catalog said then; one of a key
 * that is not published any more cannot be checked. Neither counts.
 */
async function readProvenDigests(db: Database, row: BackupRow): Promise<ProvenDigests> {
  const keys = new Map((await listSigningKeys(db)).map(({ id, public_key }) => [id, public_key]));
  const manifest = new Map<string, Witness>();
  const artifact = new Map<string, Witness>();
  for (const { envelope, seq } of await listReceipts(db, row.project_id, RECEIPTS_READ, { backupId: row.id })) {
    const signature = checkSignature(envelope, keys);
    if (signature === 'unknown key') continue;
    const statement = signature === 'good' ? readStatement(envelope) : undefined;
    if (statement === undefined)
      return { manifest: [], artifact: [], forged: `Its receipt ${seq} in the catalog (receipts) was changed after it was signed.` };
    const { verdict, artifact: proven, manifestSha256, backupId, sequence } = statement.predicate;
    if (backupId !== row.id || sequence !== seq)
      return { manifest: [], artifact: [], forged: `Its receipt ${seq} in the catalog (receipts) is that of another verification.` };
    if (verdict !== 'restorable') continue;
    const place = `the signed receipt ${seq}`;
    manifest.set(manifestSha256, { place, sha256: manifestSha256 });
    artifact.set(proven.sha256, { place, sha256: proven.sha256 });
  }
  return { manifest: [...manifest.values()], artifact: [...artifact.values()], forged: undefined };
}

function checkSignature(
  { payloadType, payload, signatures }: ReceiptEnvelope,
  keys: ReadonlyMap<string, string>,
): 'good' | 'bad' | 'unknown key' {
  const signed = encodeForSigning(payloadType, Buffer.from(payload, 'base64'));
  const known = signatures.flatMap(({ keyid, sig }) => {
    const key = keys.get(keyid);
    return key === undefined ? [] : [verifyEd25519(key, signed, Buffer.from(sig, 'base64'))];
  });
  if (known.length === 0) return 'unknown key';
  return known.every((isGood) => isGood) ? 'good' : 'bad';
}

function readStatement({ payload }: ReceiptEnvelope): ReceiptStatement | undefined {
  const statement: unknown = JSON.parse(Buffer.from(payload, 'base64').toString('utf8'));
  return findStatementProblem(statement) === undefined ? (statement as ReceiptStatement) : undefined;
}
