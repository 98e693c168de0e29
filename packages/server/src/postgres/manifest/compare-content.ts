import type { Difference } from '@flux/contract/backup';
import type { Manifest, MeasuredDatabase, TableContent } from '../manifest.ts';
import { difference } from './difference.ts';

/** Compares the rows of every table; `tables` and `rows` count what was compared in full. */
export function compareContent(
  expected: Manifest,
  found: MeasuredDatabase,
): { readonly differences: readonly Difference[]; readonly tables: number; readonly rows: number } {
  const there = new Map(found.tables.map((table) => [table.name, table]));
  const known = new Set(expected.tables.map(({ name }) => name));
  const differences: Difference[] = [];
  let tables = 0;
  let rows = 0;
  for (const table of expected.tables) {
    const other = there.get(table.name);
    if (table.comparison === 'not_dumped') {
      differences.push(difference('not_compared', 'rows', table.name, 'unknown', table.reason ?? null, null));
      continue;
    }
    // A table that is not there has been named among the objects; its rows are said to be missing as well.
    if (other === undefined) {
      differences.push(difference('failure', 'rows', table.name, 'missing', say(table), null));
      continue;
    }
    if (table.comparison === 'recomputed') {
      const noticed = compareRecomputed(table, other);
      if (noticed !== undefined) differences.push(noticed);
    } else if (other.rows !== table.rows || other.digest !== table.digest)
      differences.push(difference('failure', 'rows', table.name, 'changed', say(table), say(other)));
    else if (table.generatedDigest !== other.generatedDigest)
      // The archive does not hold generated columns; what they held before may follow an older expression or function.
      differences.push(difference('not_compared', 'generated_columns', table.name, 'changed', 'as stored', 'as computed by the restore'));
    if (table.digest === null) continue;
    tables++;
    rows += table.rows;
  }
  for (const table of found.tables)
    if (!known.has(table.name)) differences.push(difference('failure', 'rows', table.name, 'extra', null, say(table)));
  return { differences, tables, rows };
}

/**
 * A materialized view holds what its query gave when it was last refreshed; a restore runs the query anew. Another content is
 * what a stale view, or now() in a query, gives in every good restore. Whether it is populated stands among the objects.
 */
function compareRecomputed(table: TableContent, other: TableContent): Difference | undefined {
  if (table.digest === null || other.digest === null)
    return table.digest === other.digest
      ? undefined
      : difference('not_compared', 'rows', table.name, 'unknown', table.reason ?? null, other.reason ?? null);
  if (table.rows === other.rows && table.digest === other.digest) return undefined;
  return difference('not_compared', 'rows', table.name, 'changed', `${say(table)} when last refreshed`, `${say(other)}, computed anew`);
}

function say({ rows, digest }: TableContent): string {
  return `${rows} rows, digest ${digest ?? 'unknown'}`;
}
