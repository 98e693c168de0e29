import { displaySafe } from '@flux/contract/display';
import type { ReceiptKeySet, ReceiptStatement } from '@flux/contract/receipt';
import { describeLeftOut } from '../backup/left-out-text.ts';
import { describeObjects, describeTime } from '../backup/proof-text.ts';
import { formatBytes, formatCounted } from '../output/quantity.ts';
import { formatFields } from '../output/table.ts';
import { formatTime } from '../output/time.ts';
import type { Finding, ReceiptCheck } from './check-envelope.ts';

const VERDICTS: Readonly<Record<ReceiptStatement['predicate']['verdict'], string>> = {
  restorable: 'restorable: the artifact was restored, and the result equals what was dumped',
  failed: 'failed: restoring the artifact did not reproduce what was dumped',
  inconclusive: 'inconclusive: the artifact could not be restored, so nothing is known about it',
};

/** The content of a receipt, for people. */
export function describeStatement({ subject: [subject], predicate }: ReceiptStatement, sha256: string, now: Date): string[] {
  const { artifact, compared, versions, project } = predicate;
  const { failure, prerequisite, notCompared, leftOut = 0 } = compared.differences;
  const fields = formatFields(
    [
      ['Verdict', VERDICTS[predicate.verdict]],
      ['Compared with', predicate.comparedWith === 'archive' ? 'what the imported archive itself holds, not with a source' : null],
      ['Project', `${project.slug} (${project.hash}), ${predicate.engine}`],
      ['Backup', predicate.backupId],
      ['Artifact', `${subject.name}, SHA-256 ${subject.digest.sha256}`],
      ['Read', artifact.readSha256 === null ? 'not completely' : formatBytes(artifact.readSizeBytes)],
      ['Recorded', artifact.readSha256 === artifact.sha256 ? null : `${formatBytes(artifact.sizeBytes)}, SHA-256 ${artifact.sha256}`],
      ['Manifest', `SHA-256 ${predicate.manifestSha256}`],
      ['Postgres', `${versions.sourcePostgres ?? 'unknown'}, restored into ${versions.disposablePostgres ?? 'none'}`],
      ['Sandbox', predicate.sandbox],
      ['Compared', `${formatCounted(compared.tables, 'table')}, ${formatCounted(compared.rows, 'row')}`],
      ['Objects', describeObjects(compared.objects)],
      [
        'Differences',
        `${formatCounted(failure, 'failure')}, ${prerequisite} left out by design, ${notCompared} not compared, ${leftOut} not brought back`,
      ],
      ['Ended', formatTime(predicate.finishedAt, now)],
      ['Time taken', describeTime(predicate)],
      ['Flux', versions.flux],
      ['Verification', predicate.verificationId],
      ['Receipt', `${predicate.sequence} of its project, SHA-256 ${sha256}`],
      ['Previous receipt', predicate.previousReceiptSha256 === null ? 'none' : `SHA-256 ${predicate.previousReceiptSha256}`],
    ],
    '  ',
  );
  return [...fields, ...describeLeftOut(predicate.leftOut ?? [], '  ')];
}

/** The outcome of a check, for people: the answer first, then why, then the content of the receipt. */
export function describeCheck(check: ReceiptCheck, now: Date): string[] {
  const headline = check.holds ? '✓ The receipt is valid' : '✗ The receipt is not valid';
  const lines = [headline, ...check.findings.map(describeFinding)];
  if (!check.holds || check.statement === null || check.sha256 === null) return lines;
  return [...lines, '', 'It says:', ...describeStatement(check.statement, check.sha256, now)];
}

function describeFinding({ what, holds, detail }: Finding): string {
  return `  ${holds === null ? '-' : holds ? '✓' : '✗'} ${what}: ${displaySafe(detail)}`;
}

/** Public keys as PEM, each after a line that PEM parsers skip, so that the text can be saved to a file and used as `--key`. */
export function describeKeys({ keys }: ReceiptKeySet): string[] {
  return keys.flatMap(({ kid, pem, createdAt, retiredAt }) => [
    `Key ${kid}, created ${createdAt}, ${retiredAt === null ? 'in use' : `retired ${retiredAt}`}`,
    pem.trimEnd(),
  ]);
}
