import type { Difference } from '@flux/contract/backup';
import { IMPORTED_NOTE } from '@flux/contract/labels';
import type { Manifest } from '../../postgres/manifest.ts';
import type { Comparison } from '../../postgres/restored-database.ts';

/**
 * The outcome of a verification. `failed` needs proof from the artifact itself; any other failure is `inconclusive` and does not change
 * the label.
 */
export type Verdict =
  | {
      readonly verdict: 'restorable';
      readonly summary: string;
      readonly comparison: Comparison;
      /** What pg_restore said although it succeeded. */
      readonly toolOutput?: string;
    }
  | { readonly verdict: 'failed'; readonly summary: string; readonly comparison?: Comparison; readonly toolOutput?: string }
  | { readonly verdict: 'inconclusive'; readonly summary: string; readonly toolOutput?: string };

const NAMED_IN_SUMMARY = 3;

/** Judges a comparison: a single difference with the judgement `failure` is enough. */
export function judgeComparison(comparison: Comparison, { madeFrom }: Pick<Manifest, 'madeFrom'>): Verdict {
  const failures = comparison.differences.filter((difference) => difference.judgement === 'failure');
  if (failures.length === 0) {
    const { tablesCompared, rowsCompared } = comparison;
    return {
      verdict: 'restorable',
      summary: `Restored and compared: ${count(tablesCompared, 'table')}, ${count(rowsCompared, 'row')}; ${describeExceptions(comparison)}.${madeFrom === 'archive' ? ` ${IMPORTED_NOTE}` : ''}`,
      comparison,
    };
  }
  const named = failures.slice(0, NAMED_IN_SUMMARY).map(describeDifference).join('; ');
  const more = failures.length > NAMED_IN_SUMMARY ? `; and ${failures.length - NAMED_IN_SUMMARY} more` : '';
  return { verdict: 'failed', summary: `The restored data differs from what was dumped: ${named}${more}.`, comparison };
}

/** Says that nothing differs only when nothing was left out of the comparison; otherwise it counts what was. */
function describeExceptions({ differences }: Pick<Comparison, 'differences'>): string {
  const warnings = differences.filter(isWarning).length;
  const countOf = (judgement: Difference['judgement']) =>
    differences.filter((found) => found.judgement === judgement && !isWarning(found)).length;
  const exceptions = [
    [countOf('prerequisite'), 'not in the archive by design'],
    [countOf('not_compared'), 'not compared'],
    [countOf('left_out'), 'not brought back by a restore'],
    [warnings, `${warnings === 1 ? 'warning' : 'warnings'} of pg_dump`],
  ] as const;
  const named = exceptions.filter(([number]) => number > 0).map(([number, what]) => `${number.toLocaleString('en-US')} ${what}`);
  return named.length === 0
    ? 'nothing differs from what was dumped'
    : `all of it equals what was dumped. Also named below: ${named.join(', ')}`;
}

function isWarning({ judgement, kind }: Difference): boolean {
  return judgement === 'left_out' && kind === 'warning';
}

/** One difference in a few words. */
function describeDifference({ kind, name, change, expected, found }: Difference): string {
  if (change === 'missing') return kind === 'rows' && expected !== null ? `${name} is missing (${expected})` : `${kind} ${name} is missing`;
  if (change === 'extra') return `${kind} ${name} was not in the source`;
  const short = (text: string | null) => (text !== null && text.length <= 60 ? text : null);
  const [there, here] = [short(expected), short(found)];
  return there === null || here === null ? `${kind} ${name} differs` : `${kind} ${name}: ${there} dumped, ${here} restored`;
}

function count(number: number, noun: string): string {
  return `${number.toLocaleString('en-US')} ${noun}${number === 1 ? '' : 's'}`;
}
