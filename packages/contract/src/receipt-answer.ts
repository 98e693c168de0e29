import * as z from 'zod';

/** A DSSE envelope; `docs/receipts.md` describes its payload. */
export const ReceiptEnvelope = z.object({
  payloadType: z.string(),
  payload: z.string().describe('base64 of an in-toto statement'),
  signatures: z.array(z.object({ keyid: z.string(), sig: z.string().describe('base64 of an Ed25519 signature') })).readonly(),
});

/** `GET /projects/:hash/receipts`, newest first. */
export const ReceiptList = z.object({
  receipts: z.array(
    z.object({
      verificationId: z.string(),
      backupId: z.string(),
      sequence: z.number().int(),
      verdict: z.enum(['restorable', 'failed', 'inconclusive']),
      sha256: z.string().describe('SHA-256 of the payload, which the next receipt of the project names'),
      previousSha256: z.string().nullable(),
      createdAt: z.iso.datetime(),
      envelope: ReceiptEnvelope,
    }),
  ),
  nextCursor: z.string().nullable(),
});
/** `GET /projects/:hash/receipts`, newest first. */
export type ReceiptList = z.infer<typeof ReceiptList>;

/** A JWK set of public keys; the current signing key comes first. */
export const ReceiptKeySet = z.object({
  keys: z
    .array(
      z.object({
        kty: z.literal('OKP'),
        crv: z.literal('Ed25519'),
        x: z.string().describe('the raw key, base64url'),
        kid: z.string(),
        alg: z.literal('EdDSA'),
        use: z.literal('sig'),
        pem: z.string(),
        createdAt: z.iso.datetime(),
        retiredAt: z.iso.datetime().nullable(),
      }),
    )
    .readonly(),
});
