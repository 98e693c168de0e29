import { createHash, createPublicKey, type KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { FluxError } from '@flux/contract/errors';
import { decodeBase64 } from './base64.ts';

/** A public key that the user trusts. */
export interface TrustedKey {
  /** First 16 hex digits of the SHA-256 of the raw key; computed, never taken from the file. */
  readonly id: string;
  readonly key: KeyObject;
}

const PEM = /-----BEGIN PUBLIC KEY-----[A-Za-z0-9+/=\s]+-----END PUBLIC KEY-----/g;
const RAW_BYTES = 32;

/**
 * Reads what `--key` names: a file with PEM blocks, a JWK, a JWK set or base64, or any of them written out.
 *
 * @throws FluxError `usage` when no Ed25519 public key is in it
 */
export async function readTrustedKeys(value: string): Promise<readonly TrustedKey[]> {
  const text = (await readText(value)) ?? value;
  const keys = parseKeys(text);
  if (keys.length > 0) return keys;
  throw new FluxError(
    'usage',
    text === value ? '--key is neither a file nor an Ed25519 public key.' : `${value} contains no Ed25519 public key.`,
    {
      hint: 'Take one from `flux receipt keys > keys.pem`, or from /.well-known/flux-receipt-keys.json of the control plane, once, over a channel that you trust.',
    },
  );
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENAMETOOLONG' || code === 'ENOTDIR') return undefined;
    throw new FluxError('local_file', `${path} cannot be read (${code ?? 'unknown reason'}).`, { cause });
  }
}

/** Every Ed25519 public key in a text; an empty list when there is none. */
export function parseKeys(text: string): readonly TrustedKey[] {
  const blocks = text.match(PEM);
  if (blocks !== null) return blocks.flatMap((block) => fromKey(() => createPublicKey(block)));
  if (text.trimStart().startsWith('{')) return fromJson(text);
  const bytes = decodeBase64(text.trim());
  if (bytes === undefined) return [];
  if (bytes.length === RAW_BYTES) return fromRaw(bytes.toString('base64url'));
  return fromKey(() => createPublicKey({ key: bytes, format: 'der', type: 'spki' }));
}

function fromJson(text: string): readonly TrustedKey[] {
  try {
    const parsed = JSON.parse(text) as { readonly keys?: unknown };
    const members: unknown[] = Array.isArray(parsed.keys) ? parsed.keys : [parsed];
    return members.flatMap((member) => {
      const { kty, crv, x } = (member ?? {}) as Readonly<Record<string, unknown>>;
      return kty === 'OKP' && crv === 'Ed25519' && typeof x === 'string' ? fromRaw(x) : [];
    });
  } catch {
    return [];
  }
}

function fromRaw(x: string): readonly TrustedKey[] {
  return fromKey(() => createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' }));
}

/** Returns an empty list when the text cannot be read as a key. */
function fromKey(read: () => KeyObject): readonly TrustedKey[] {
  try {
    const key = read();
    if (key.asymmetricKeyType !== 'ed25519') return [];
    const raw = Buffer.from(key.export({ format: 'jwk' }).x ?? '', 'base64url');
    return [{ id: createHash('sha256').update(raw).digest('hex').slice(0, 16), key }];
  } catch {
    return [];
  }
}
