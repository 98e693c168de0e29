import { createHash, verify } from 'node:crypto';
import { encodeForSigning, RECEIPT_PAYLOAD_TYPE, type ReceiptStatement } from '@flux/contract/receipt';
import { findStatementProblem } from '@flux/contract/receipt-shape';
import { decodeBase64 } from './base64.ts';
import type { TrustedKey } from './public-keys.ts';

/** The outcome of opening an envelope. Its content is not available until its signature has been verified. */
export type OpenedReceipt =
  | { readonly state: 'unsigned'; readonly problem: string }
  | { readonly state: 'misshapen'; readonly problem: string; readonly keyId: string }
  | { readonly state: 'good'; readonly keyId: string; readonly sha256: string; readonly statement: ReceiptStatement };

/** Checks the signature of a receipt against keys that are trusted, and then the shape of what was signed. */
export function openReceipt(text: string, keys: readonly TrustedKey[]): OpenedReceipt {
  const envelope = parseEnvelope(text);
  if (typeof envelope === 'string') return { state: 'unsigned', problem: envelope };
  const signed = encodeForSigning(RECEIPT_PAYLOAD_TYPE, envelope.payload);
  // The key id is not signed: it only selects which of the trusted keys to try.
  const by = keys.find(({ id, key }) => envelope.signatures.some(({ keyid, sig }) => keyid === id && verify(null, signed, key, sig)));
  if (by === undefined) return { state: 'unsigned', problem: describeRefusal(envelope, keys) };
  const misshapen = (problem: string): OpenedReceipt => ({ state: 'misshapen', problem, keyId: by.id });
  let statement: unknown;
  try {
    statement = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(envelope.payload));
  } catch {
    return misshapen('the payload is not JSON');
  }
  const problem = findStatementProblem(statement);
  if (problem !== undefined) return misshapen(problem);
  const sha256 = createHash('sha256').update(envelope.payload).digest('hex');
  return { state: 'good', keyId: by.id, sha256, statement: statement as ReceiptStatement };
}

interface ParsedEnvelope {
  readonly payload: Buffer;
  readonly signatures: readonly { readonly keyid: string; readonly sig: Buffer }[];
}

/** The parts of an envelope, or why the text is not one. */
function parseEnvelope(text: string): ParsedEnvelope | string {
  let parsed: { readonly payloadType?: unknown; readonly payload?: unknown; readonly signatures?: unknown } | null;
  try {
    parsed = JSON.parse(text);
  } catch {
    return 'the file is not JSON';
  }
  const { payloadType, payload, signatures } = parsed ?? {};
  if (typeof payload !== 'string' || !Array.isArray(signatures)) return 'the file is not a DSSE envelope';
  if (payloadType !== RECEIPT_PAYLOAD_TYPE) return `its payload is not of type ${RECEIPT_PAYLOAD_TYPE}`;
  const bytes = decodeBase64(payload);
  if (bytes === undefined) return 'its payload is not base64';
  return {
    payload: bytes,
    signatures: signatures.flatMap((signature: { readonly keyid?: unknown; readonly sig?: unknown } | null) => {
      const sig = typeof signature?.sig === 'string' ? decodeBase64(signature.sig) : undefined;
      return sig === undefined || typeof signature?.keyid !== 'string' ? [] : [{ keyid: signature.keyid, sig }];
    }),
  };
}

function describeRefusal({ signatures }: ParsedEnvelope, keys: readonly TrustedKey[]): string {
  if (signatures.length === 0) return 'it has no readable signature';
  const known = signatures.find(({ keyid }) => keys.some(({ id }) => id === keyid));
  if (known !== undefined) return `the signature does not match key ${known.keyid} and this content: something was changed`;
  const named = signatures.map(({ keyid }) => keyid).filter((keyid) => /^[0-9a-f]{16}$/.test(keyid));
  const by = named.length === 0 ? 'a key without a name' : named.join(', ');
  return `it is signed by ${by}, not by a key that you trust (${keys.map(({ id }) => id).join(', ')})`;
}
