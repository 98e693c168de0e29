import type { EngineKind } from './labels.ts';

/** Type of the payload of our DSSE envelopes: an in-toto statement as JSON. */
export const RECEIPT_PAYLOAD_TYPE = 'application/vnd.in-toto+json';
/** Version of the in-toto statement. */
export const STATEMENT_TYPE = 'https://in-toto.io/Statement/v1';
/** Type of the predicate of a receipt; a change of its meaning gets another type. */
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
  /** The bytes that the verification read; when it read none, those recorded in the catalog. */
  readonly subject: readonly [{ readonly name: string; readonly digest: { readonly sha256: string } }];
  readonly predicateType: typeof RECEIPT_PREDICATE_TYPE;
  readonly predicate: ReceiptPredicate;
}

/** The findings of one verification. Counts and digests only: no table names and no row values. */
export interface ReceiptPredicate {
  readonly verificationId: string;
  readonly backupId: string;
  readonly project: { readonly slug: string; readonly hash: string };
  readonly engine: EngineKind;
  /** 1 for the first receipt of the project, then consecutive. */
  readonly sequence: number;
  /** SHA-256 of the payload of the project's previous receipt; null for the first. */
  readonly previousReceiptSha256: string | null;
  readonly verdict: 'restorable' | 'failed' | 'inconclusive';
  readonly artifact: {
    /** As recorded when the artifact was created. */
    readonly sha256: string;
    readonly sizeBytes: number;
    /** As read by this verification; null when it ended before that. */
    readonly readSha256: string | null;
    readonly readSizeBytes: number;
  };
  /** SHA-256 of the manifest, which is `<backupId>.manifest.json` beside the artifact. */
  readonly manifestSha256: string;
  /** `archive` for an imported backup: there was no source to compare with. Absent where it was the source. */
  readonly comparedWith?: 'archive';
  readonly versions: {
    readonly sourcePostgres: string | null;
    /** Of the disposable instance; null when none was started. */
    readonly disposablePostgres: string | null;
    readonly flux: string;
  };
  /** The sandbox that isolated the restore from the host. */
  readonly sandbox: string | null;
  readonly compared: {
    readonly tables: number;
    readonly rows: number;
    /** By kind: index, constraint, policy, grant, sequence... */
    readonly objects: Readonly<Record<string, number>>;
    /** Differences by judgement; one failure makes the verdict `failed`. */
    readonly differences: {
      readonly failure: number;
      readonly prerequisite: number;
      readonly notCompared: number;
      /** Absent in receipts of earlier versions. */
      readonly leftOut?: number;
    };
  };
  /** What a restore does not bring back, with the reason; absent in receipts of earlier versions. */
  readonly leftOut?: readonly { readonly kind: string; readonly name: string; readonly reason: string }[];
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly durationMs: number;
  readonly phasesMs: Readonly<Record<string, number>>;
}

/** One public key: a JWK (RFC 8037) with its PEM and its period of use. */
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
  /** Null for the current signing key. */
  readonly retiredAt: string | null;
}

/** `/.well-known/flux-receipt-keys.json`: a JWK set; the current signing key comes first. */
export interface ReceiptKeySet {
  readonly keys: readonly ReceiptKey[];
}

/**
 * The bytes that are signed: DSSE's pre-authentication encoding. Each part is prefixed with its length, so that no two pairs of type and
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
