import { createPublicKey } from 'node:crypto';
import { SigningKeyCopy } from '../../backups/receipt/copy.ts';
import { SIGNING_KEYS } from '../../blobs/artifact-keys.ts';
import { recordAudit } from '../../catalog/audit.ts';
import { insertSigningKey, listSigningKeys, lockActiveKey, lockSigningKeys, retireActiveKey } from '../../catalog/signing-keys.ts';
import { nameEd25519 } from '../../system/ed25519.ts';
import { type Adoption, NOBODY, type ReconcileDeps } from './adoption.ts';
import { readBlob } from './backups.ts';

/** The keys that the catalog or the store has. */
export interface FoundKeys {
  /** Public keys (PEM) by their ids. */
  readonly publicKeys: ReadonlyMap<string, string>;
  readonly adoptions: readonly Adoption[];
}

/** Keys that sign receipts and that the catalog does not know, the oldest first. */
export async function examineSigningKeys(deps: ReconcileDeps): Promise<FoundKeys> {
  const copies: SigningKeyCopy[] = [];
  for await (const { key } of deps.store.list(SIGNING_KEYS, new AbortController().signal)) {
    const copy = await readCopy(deps, key);
    if (copy !== undefined) copies.push(copy);
  }
  // Afterwards, as in `examine.ts`: a key is in the catalog before there is a copy of it.
  const known = await listSigningKeys(deps.catalog.db);
  const publicKeys = new Map(known.map((key) => [key.id, key.public_key]));
  const found = copies.filter(({ id }) => !publicKeys.has(id));
  for (const { id, publicKey } of found) publicKeys.set(id, publicKey);
  found.sort((a, b) => (a.createdAt < b.createdAt ? -1 : 1));
  return { publicKeys, adoptions: found.map((copy) => adoptKey(deps, copy)) };
}

async function readCopy(deps: ReconcileDeps, key: string): Promise<SigningKeyCopy | undefined> {
  try {
    const copy = SigningKeyCopy.parse(JSON.parse((await readBlob(deps, key)).toString('utf8')));
    // Only this installation can have sealed it, and the public half must belong to it.
    const privatePem = deps.seal.unseal(Buffer.from(copy.sealedPrivateKey, 'base64'));
    const publicPem = createPublicKey(privatePem).export({ type: 'spki', format: 'pem' }).toString();
    if (publicPem !== copy.publicKey || nameEd25519(publicPem) !== copy.id) throw new Error('its halves do not belong together');
    return copy;
  } catch (error) {
    deps.log.warn({ err: error, key }, 'the copy of a signing key was passed over');
    return undefined;
  }
}

function adoptKey({ catalog }: ReconcileDeps, { id, publicKey, sealedPrivateKey, createdAt }: SigningKeyCopy): Adoption {
  return {
    id: `receipt key ${id}`,
    found: `Key ${id}, of ${createdAt}, signs receipts; the catalog does not know it.`,
    apply: () =>
      catalog.db.transaction().execute(async (db) => {
        await lockSigningKeys(db);
        const row = {
          id,
          public_key: publicKey,
          sealed_private_key: Buffer.from(sealedPrivateKey, 'base64'),
          created_at: new Date(createdAt),
        };
        const active = await lockActiveKey(db);
        // The newest key is the one that signs.
        const isNewest = active === undefined || active.created_at < row.created_at;
        if (isNewest) await retireActiveKey(db, row.created_at);
        await insertSigningKey(db, isNewest ? row : { ...row, retired_at: active.created_at });
        await recordAudit(db, NOBODY, { action: 'receipt-key.adopted', projectId: null, subject: id });
      }),
  };
}
