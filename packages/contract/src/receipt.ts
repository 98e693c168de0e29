import type { EngineKind } from './labels.ts';

/** What a DSSE envelope of ours holds: an in-toto statement as JSON. */
export const RECEIPT_PAYLOAD_TYPE = 'application/vnd.in-toto+json';
/** Version of the in-toto statement. */
export const STATEMENT_TYPE = 'https://in-toto.io/Statement/v1';
/** What the predicate of a receipt means; another meaning gets another name. */
export const RECEIPT_PREDICATE_TYPE = 'https://flux.invalid/receipts/restore-verification/v1';

/**
 * A signed receipt: a DSSE envelope (https://github.com/secure-systems-lab/dsse, protocol version 1). `payload` and `sig` are
 * base64; a signature is Ed25519 over the pre-authentication encoding of type and payload.
 */
export interface ReceiptEnvelope {
  readonly payloadType: string;
  readonly payload: string;
  readonly signatures: readonly { readonly keyid: string; readonly sig: string }[];
}

/** What a receipt says: an in-toto statement (https://github.com/in-toto/attestation, Statement v1). */
export interface ReceiptStatement {
  readonly _type: typeof STATEMENT_TYPE;
  /** The bytes that the verification read; when it came to read none, those that the catalog has recorded. */
  readonly subject: readonly [{ readonly name: string; readonly digest: { readonly sha256: string } }];
  readonly predicateType: typeof RECEIPT_PREDICATE_TYPE;
  readonly predicate: ReceiptPredicate;
}

/** What one verification found. Numbers and digests only: no name of a table and no value of a row leaves the control plane with it. */
export interface ReceiptPredicate {
  readonly verificationId: string;
  readonly backupId: string;
  readonly project: { readonly slug: string; readonly hash: string };
  readonly engine: EngineKind;
  /** 1 for the first receipt of the project, then counted without a gap. */
  readonly sequence: number;
  /** SHA-256 of the payload of the receipt before it in the project; null for the first. */
  readonly previousReceiptSha256: string | null;
  readonly verdict: 'restorable' | 'failed' | 'inconclusive';
  readonly artifact: {
    /** As recorded when the artifact was made. */
    readonly sha256: string;
    readonly sizeBytes: number;
    /** As read again in this verification; null when it came to nothing before. */
    readonly readSha256: string | null;
    readonly readSizeBytes: number;
  };
  /** SHA-256 of the manifest, which is `<backupId>.manifest.json` beside the artifact. */
  readonly manifestSha256: string;
  readonly versions: {
    readonly sourcePostgres: string | null;
    /** Of the disposable instance; null when none came up. */
    readonly disposablePostgres: string | null;
    readonly flux: string;
  };
  /** What kept the restore away from the host. */
  readonly sandbox: string | null;
  readonly compared: {
    readonly tables: number;
    readonly rows: number;
    /** By kind: index, constraint, policy, grant, sequence... */
    readonly objects: Readonly<Record<string, number>>;
    /** Differences by judgement; one failure makes the verdict `failed`. */
    readonly differences: { readonly failure: number; readonly prerequisite: number; readonly notCompared: number };
  };
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly durationMs: number;
  readonly phasesMs: Readonly<Record<string, number>>;
}

/** One public key: a JWK (RFC 8037) with its PEM and its life beside it. */
export interface ReceiptKey {
  readonly kty: 'OKP';
  readonly crv: 'Ed25519';
  /** The raw key, base64url. */
  readonly x: string;
  /** First 16 hex digits of the SHA-256 of the raw key. */
  readonly kid: string;
  readonly alg: 'EdDSA';
  readonly use: 'sig';
  readonly pem: string;
  readonly createdAt: string;
  /** Null for the one key that signs now. */
  readonly retiredAt: string | null;
}

/** `/.well-known/flux-receipt-keys.json`: a JWK set; the key that signs now comes first. */
export interface ReceiptKeySet {
  readonly keys: readonly ReceiptKey[];
}

/**
 * The bytes that are signed: DSSE's pre-authentication encoding. Lengths stand before the parts, so that no two pairs of type and
 * body give the same bytes.
 *
 * @param type ASCII, as media types and URIs are
 */
export function encodeForSigning(type: string, body: Uint8Array): Uint8Array {
  const head = `DSSEv1 ${type.length} ${type} ${body.length} `;
  const bytes = new Uint8Array(head.length + body.length);
  for (let at = 0; at < head.length; at++) {
    const code = head.charCodeAt(at);
    if (code > 0x7f) throw new RangeError('the type of a payload is ASCII');
    bytes[at] = code;
  }
  bytes.set(body, head.length);
  return bytes;
}
