import { FluxError } from '@flux/contract/errors';
import type { ReceiptKeySet } from '@flux/contract/receipt';
import { type Actor, recordAudit } from '../../catalog/audit.ts';
import type { Catalog, DatabaseTransaction } from '../../catalog/open.ts';
import {
  insertSigningKey,
  listSigningKeys,
  lockActiveKey,
  lockSigningKeys,
  retireActiveKey,
  type SigningKeyRow,
} from '../../catalog/signing-keys.ts';
import type { Clock } from '../../system/clock.ts';
import { generateEd25519, nameEd25519, rawEd25519, signEd25519 } from '../../system/ed25519.ts';
import type { Seal } from '../../system/seal.ts';

/** What signing needs; private keys are stored encrypted. */
export interface SigningDeps {
  readonly seal: Seal;
  readonly clock: Clock;
}

/** A signing function with the id of its key. */
export interface Signer {
  readonly keyId: string;
  sign(bytes: Uint8Array): Buffer;
}

/**
 * The current signing key, created when there is none. It cannot be retired before the transaction ends.
 *
 * @throws FluxError `volume_unusable` when the key was encrypted with another secret key
 */
export async function openSigner(db: DatabaseTransaction, deps: SigningDeps): Promise<Signer> {
  const key = await ensureActiveKey(db, deps);
  const privatePem = unseal(deps.seal, key);
  return { keyId: key.id, sign: (bytes) => signEd25519(privatePem, bytes) };
}

/**
 * Creates a new key and retires the previous one, which stays published, so that its signatures can still be checked.
 *
 * @returns all keys, the new one first
 */
export async function rotateSigningKey(deps: SigningDeps & { readonly catalog: Catalog }, actor: Actor): Promise<ReceiptKeySet> {
  await deps.catalog.db.transaction().execute(async (db) => {
    await lockSigningKeys(db);
    const now = deps.clock.now();
    const retired = await retireActiveKey(db, now);
    const key = await makeKey(db, deps.seal, now);
    await recordAudit(db, actor, { action: 'receipt-key.rotate', projectId: null, subject: key.id, details: { retired: retired ?? null } });
  });
  return readKeySet(deps.catalog);
}

/** Every public key that receipts were signed with. Creates the first key if there is none, so that it can be pinned before the first receipt. */
export async function publishKeys(deps: SigningDeps & { readonly catalog: Catalog }): Promise<ReceiptKeySet> {
  const found = await readKeySet(deps.catalog);
  if (found.keys.length > 0) return found;
  await deps.catalog.db.transaction().execute((db) => ensureActiveKey(db, deps));
  return readKeySet(deps.catalog);
}

async function readKeySet(catalog: Catalog): Promise<ReceiptKeySet> {
  const rows = await listSigningKeys(catalog.db);
  return {
    keys: rows.map((row) => ({
      kty: 'OKP',
      crv: 'Ed25519',
      x: rawEd25519(row.public_key),
      kid: row.id,
      alg: 'EdDSA',
      use: 'sig',
      pem: row.public_key,
      createdAt: row.created_at.toISOString(),
      retiredAt: row.retired_at?.toISOString() ?? null,
    })),
  };
}

async function ensureActiveKey(db: DatabaseTransaction, { seal, clock }: SigningDeps): Promise<SigningKeyRow> {
  const found = await lockActiveKey(db);
  if (found !== undefined) return found;
  // There is none, or it was retired while we waited for it. Under the lock, the current key stays current.
  await lockSigningKeys(db);
  return (await lockActiveKey(db)) ?? makeKey(db, seal, clock.now());
}

function makeKey(db: DatabaseTransaction, seal: Seal, now: Date): Promise<SigningKeyRow> {
  const { publicPem, privatePem } = generateEd25519();
  return insertSigningKey(db, {
    id: nameEd25519(publicPem),
    public_key: publicPem,
    sealed_private_key: seal.seal(privatePem),
    created_at: now,
  });
}

function unseal(seal: Seal, key: SigningKeyRow): string {
  try {
    return seal.unseal(key.sealed_private_key);
  } catch (cause) {
    throw new FluxError(
      'volume_unusable',
      `The key ${key.id} that signs receipts cannot be decrypted: it was encrypted with another secret key.`,
      {
        hint: 'Restore the file secret.key of the data folder, or create a new key with `flux receipt rotate-key`.',
        cause,
      },
    );
  }
}
