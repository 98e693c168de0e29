import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto';

/** A key pair as PEM: SPKI and PKCS #8. */
export interface Ed25519Pair {
  readonly publicPem: string;
  readonly privatePem: string;
}

/** Generates a key pair. */
export function generateEd25519(): Ed25519Pair {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519', {
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  return { publicPem: publicKey, privatePem: privateKey };
}

/** Signs bytes. The signature has 64 bytes and is deterministic. */
export function signEd25519(privatePem: string, bytes: Uint8Array): Buffer {
  return sign(null, bytes, createPrivateKey(privatePem));
}

/** Whether a signature over these bytes was made with the private half of a public key. */
export function verifyEd25519(publicPem: string, bytes: Uint8Array, signature: Uint8Array): boolean {
  return verify(null, bytes, createPublicKey(publicPem), signature);
}

/** The raw 32 bytes of a public key, base64url, as in the `x` of a JWK. */
export function rawEd25519(publicPem: string): string {
  const { x } = createPublicKey(publicPem).export({ format: 'jwk' });
  if (x === undefined) throw new TypeError('this is not an Ed25519 key');
  return x;
}

/** Id of a key: the first 16 hex digits of the SHA-256 of its raw bytes. */
export function nameEd25519(publicPem: string): string {
  return createHash('sha256')
    .update(Buffer.from(rawEd25519(publicPem), 'base64url'))
    .digest('hex')
    .slice(0, 16);
}
