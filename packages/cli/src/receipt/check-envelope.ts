import type { ReceiptStatement } from '@flux/contract/receipt';
import { type OpenedReceipt, openReceipt } from './open.ts';
import type { TrustedKey } from './public-keys.ts';

/** A file to compare with the receipt. */
export interface Evidence {
  readonly path: string;
  readonly sha256: string;
}

/** What a check needs. Everything is local: no request is made. */
export interface CheckInput {
  readonly receipt: string;
  readonly keys: readonly TrustedKey[];
  readonly artifact?: Evidence | undefined;
  readonly manifest?: Evidence | undefined;
  /** Text of the previous receipt. */
  readonly previous?: string | undefined;
}

/** One thing that was checked; `holds` is null when the file to check it with was not given. */
export interface Finding {
  readonly what: 'signature' | 'statement' | 'artifact' | 'manifest' | 'chain';
  readonly holds: boolean | null;
  readonly detail: string;
}

/** The outcome of a check. `statement` is null unless it is signed and well-formed: anything else must not be trusted. */
export interface ReceiptCheck {
  readonly holds: boolean;
  readonly keyId: string | null;
  readonly sha256: string | null;
  readonly statement: ReceiptStatement | null;
  readonly findings: readonly Finding[];
}

/** Checks a receipt: its signature, its shape, and the artifact, manifest and previous receipt that are given. */
export function checkReceipt({ receipt, keys, artifact, manifest, previous }: CheckInput): ReceiptCheck {
  const opened = openReceipt(receipt, keys);
  if (opened.state !== 'good') return refuse(opened);
  const { statement, keyId, sha256 } = opened;
  const findings: readonly Finding[] = [
    signedBy(keyId),
    { what: 'statement', holds: true, detail: 'a restore verification, complete and consistent' },
    compareFile('artifact', '--artifact', artifact, statement.subject[0].digest.sha256),
    compareFile('manifest', '--manifest', manifest, statement.predicate.manifestSha256),
    compareChain(statement, previous, keys),
  ];
  return { holds: findings.every(({ holds }) => holds !== false), keyId, sha256, statement, findings };
}

function refuse(opened: Exclude<OpenedReceipt, { readonly state: 'good' }>): ReceiptCheck {
  const findings: readonly Finding[] =
    opened.state === 'unsigned'
      ? [{ what: 'signature', holds: false, detail: opened.problem }]
      : [signedBy(opened.keyId), { what: 'statement', holds: false, detail: opened.problem }];
  return { holds: false, keyId: opened.state === 'unsigned' ? null : opened.keyId, sha256: null, statement: null, findings };
}

function signedBy(keyId: string): Finding {
  return { what: 'signature', holds: true, detail: `by key ${keyId}` };
}

function compareFile(what: 'artifact' | 'manifest', option: string, file: Evidence | undefined, wanted: string): Finding {
  if (file === undefined) return { what, holds: null, detail: `not checked (${option} <file>)` };
  if (file.sha256 === wanted) return { what, holds: true, detail: `${file.path} has the SHA-256 ${wanted}` };
  return { what, holds: false, detail: `${file.path} has the SHA-256 ${file.sha256}; the receipt is about ${wanted}` };
}

function compareChain({ predicate }: ReceiptStatement, text: string | undefined, keys: readonly TrustedKey[]): Finding {
  const { sequence, previousReceiptSha256, project } = predicate;
  const finding = (holds: boolean | null, detail: string): Finding => ({ what: 'chain', holds, detail });
  if (text === undefined) {
    return finding(
      null,
      sequence === 1 ? 'the first receipt of its project' : `receipt ${sequence} of its project; not checked (--previous <file>)`,
    );
  }
  const previous = openReceipt(text, keys);
  if (previousReceiptSha256 === null) return finding(false, 'this is the first receipt of its project, so it has no previous one');
  if (previous.state !== 'good') return finding(false, `the previous receipt is not valid: ${previous.problem}`);
  if (previous.sha256 !== previousReceiptSha256) {
    return finding(false, `it follows the receipt ${previousReceiptSha256}; the file contains ${previous.sha256}`);
  }
  const before = previous.statement.predicate;
  if (before.project.hash !== project.hash || before.sequence + 1 !== sequence) {
    return finding(
      false,
      `it is receipt ${sequence} of ${project.hash}; the previous one is receipt ${before.sequence} of ${before.project.hash}`,
    );
  }
  return finding(true, `receipt ${sequence} of its project follows receipt ${before.sequence}`);
}
