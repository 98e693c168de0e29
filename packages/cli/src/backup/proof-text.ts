import type { Difference, VerificationProof } from '@flux/contract/backup';
import { formatBytes, formatCount, formatCounted } from '../output/quantity.ts';
import { formatFields } from '../output/table.ts';
import { formatDuration } from '../output/time.ts';

/** Exit codes of a verification: a verdict is an answer, not an error. */
export const VERDICT_EXIT_CODES: Readonly<Record<VerificationProof['verdict'], number>> = { restorable: 0, failed: 7, inconclusive: 10 };

/**
 * What a verification proved, for people.
 *
 * @param label the trust label of the backup afterwards, as the server reports it
 */
export function describeProof(proof: VerificationProof, label: string): string[] {
  const lines = [`${headline(proof, label)}`, proof.summary, ''];
  lines.push(
    ...formatFields(
      [
        ['Backup', proof.backupId],
        ['Postgres', proof.postgresVersion],
        ['Tables', `${formatCount(proof.tablesCompared)} compared`],
        ['Rows', `${formatCount(proof.rowsCompared)} compared`],
        ['Objects', describeObjects(proof.objectsCompared)],
        ['Read', `${formatBytes(proof.bytesRead)}${proof.artifactSha256 === null ? '' : `, SHA-256 ${proof.artifactSha256}`}`],
        ['Sandbox', proof.sandbox],
        ['Time taken', describeTime(proof)],
        ['Receipt', proof.receiptId],
      ],
      '  ',
    ),
  );
  lines.push(...describeDifferences(proof.differences));
  if (proof.toolOutput !== null && proof.toolOutput.trim() !== '') {
    lines.push(
      '',
      'pg_restore said:',
      ...proof.toolOutput
        .trimEnd()
        .split('\n')
        .map((line) => `  ${line}`),
    );
  }
  return lines;
}

function headline(proof: VerificationProof, label: string): string {
  if (proof.verdict === 'restorable') return `✓ ${label}`;
  if (proof.verdict === 'failed') return `✗ ${label}`;
  return `? Inconclusive: the backup could not be restored or compared. Its label stays: ${label}`;
}

/** How many objects of each kind; null for none. */
export function describeObjects(counts: Readonly<Record<string, number>>): string | null {
  const parts = Object.entries(counts)
    .filter(([, count]) => count > 0)
    .map(([kind, count]) => formatCounted(count, kind.replaceAll('_', ' ')));
  return parts.length === 0 ? null : parts.join(', ');
}

/** How long a verification took, and its phases, the longest first. */
export function describeTime(proof: Pick<VerificationProof, 'durationMs' | 'phasesMs'>): string {
  const longestFirst = Object.entries(proof.phasesMs).sort(([, a], [, b]) => b - a);
  const phases = longestFirst.map(([phase, ms]) => `${phase.replaceAll('_', ' ')} ${formatDuration(ms)}`);
  return `${formatDuration(proof.durationMs)}${phases.length === 0 ? '' : ` (${phases.join(', ')})`}`;
}

const SECTIONS: readonly (readonly [Difference['judgement'], string])[] = [
  ['failure', 'Differences'],
  ['prerequisite', 'Left out of the artifact by design (`flux backup show` prints the SQL that creates them)'],
  ['not_compared', 'Not compared'],
  ['left_out', 'Not brought back by a restore'],
];

/** Every difference, grouped by judgement; `there` is the source when it was dumped, `here` the restored database. */
export function describeDifferences(differences: readonly Difference[]): string[] {
  const isWarning = ({ judgement, kind }: Difference) => judgement === 'left_out' && kind === 'warning';
  const sections = SECTIONS.flatMap(([judgement, title]) => {
    const found = differences.filter((difference) => difference.judgement === judgement && !isWarning(difference));
    if (found.length === 0) return [];
    return ['', `${title}: ${found.length}`, ...found.map(describeDifference)];
  });
  const warnings = differences.filter(isWarning).map(({ name, expected }) => `  ${name}: ${expected ?? ''}`);
  return warnings.length === 0 ? sections : [...sections, '', `Warnings when it was dumped: ${warnings.length}`, ...warnings];
}

function describeDifference({ judgement, kind, name, change, expected, found }: Difference): string {
  if (judgement === 'left_out') {
    const what = [kind.replaceAll('_', ' '), name].filter((part) => part !== '').join(' ');
    return `  ${what}: ${[expected, found].filter((text) => text !== null).join(' ')}`;
  }
  const values = [expected === null ? null : `there: ${expected}`, found === null ? null : `here: ${found}`].filter(
    (value) => value !== null,
  );
  return `  ${change} ${kind} ${name}${values.length === 0 ? '' : ` · ${values.join(' · ')}`}`;
}
