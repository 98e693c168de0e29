import type { Difference } from '@flux/contract/backup';
import type { Manifest, MeasuredDatabase, TableContent } from '../manifest.ts';
import { quoteIdentifier } from '../sql/quote.ts';
import { difference } from './difference.ts';
import { isUnfilled } from './unfilled-views.ts';

/** Compares the rows of every table; `tables` and `rows` count what was compared in full. */
export function compareContent(
  expected: Manifest,
  found: MeasuredDatabase,
): { readonly differences: readonly Difference[]; readonly tables: number; readonly rows: number } {
  const there = new Map(found.tables.map((table) => [table.name, table]));
  const known = new Set(expected.tables.map(({ name }) => name));
  const redistributed = findRedistributed(expected.tables, found.tables);
  const differences: Difference[] = [];
  let tables = 0;
  let rows = 0;
  for (const table of expected.tables) {
    const other = there.get(table.name);
    if (table.comparison === 'not_dumped') {
      const noticed = compareNotDumped(table, other);
      if (noticed !== undefined) differences.push(noticed);
      continue;
    }
    // A missing table is already reported among the objects; its rows are reported as missing too.
    if (other === undefined) {
      differences.push(difference('failure', 'rows', table.name, 'missing', say(table), null));
      continue;
    }
    if (table.comparison === 'recomputed') {
      const noticed = compareRecomputed(table, other);
      if (noticed !== undefined) differences.push(noticed);
    } else if (other.rows === table.rows && other.digest === null && table.digest !== null) {
      differences.push(difference('not_compared', 'rows', table.name, 'unknown', say(table), other.reason ?? null));
      continue;
    } else if (other.rows !== table.rows || other.digest !== table.digest)
      differences.push(
        table.root !== undefined && redistributed.has(table.root)
          ? difference(
              'left_out',
              'rows',
              table.name,
              'changed',
              `${say(table)} there, ${say(other)} after a restore: ${movedReason(table.root)}`,
              null,
            )
          : difference('failure', 'rows', table.name, 'changed', say(table), say(other)),
      );
    else {
      const noticed = compareGenerated(table, other);
      if (noticed !== undefined) differences.push(noticed);
    }
    const undumped = compareUndumped(table, other);
    if (undumped !== undefined) differences.push(undumped);
    if (table.digest === null) continue;
    tables++;
    rows += table.rows;
  }
  for (const table of found.tables)
    if (!known.has(table.name)) differences.push(difference('failure', 'rows', table.name, 'extra', null, say(table)));
  return { differences, tables, rows };
}

/**
 * A table that is in no archive. CREATE EXTENSION recreates the tables of an extension with their initial rows. A table that was added to
 * an extension later (ALTER EXTENSION ... ADD TABLE) is not among them: it is lost, with its rows.
 */
function compareNotDumped(table: TableContent, other: TableContent | undefined): Difference | undefined {
  const isRead = table.digest !== null;
  const reason = table.reason ?? 'pg_dump leaves the table out';
  if (other === undefined) {
    const lost = `${isRead ? `${table.rows} rows` : 'rows that could not be counted'}; ${reason}`;
    const kind = table.kind === 'materialized_view' ? 'MATERIALIZED VIEW' : 'TABLE';
    const judgement = isRead && table.rows === 0 ? 'left_out' : 'failure';
    const cure = `ALTER EXTENSION ${quoteIdentifier(table.extension ?? '')} DROP ${kind} ${table.name}`;
    return difference(
      judgement,
      'rows',
      table.name,
      'missing',
      table.extension ? `${lost}; ${cure} in the source makes it dumped` : lost,
      null,
    );
  }
  if (!isRead || other.digest === null) return difference('not_compared', 'rows', table.name, 'unknown', reason, null);
  if (table.rows === other.rows && table.digest === other.digest) return undefined;
  return difference('left_out', 'rows', table.name, 'changed', `${say(table)} there, ${say(other)} after a restore; ${reason}.`, null);
}

/**
 * A materialized view contains the result of its query when it was last refreshed; a restore runs the query again. With a stale view, or
 * now() in the query, the content differs after every good restore. Whether it is populated is compared among the objects.
 */
function compareRecomputed(table: TableContent, other: TableContent): Difference | undefined {
  if (isUnfilled(table, other)) {
    const reason = `${table.rows} rows there; its query reads tables of another server, which could not be reached. REFRESH MATERIALIZED VIEW fills it where that server answers.`;
    return difference('left_out', 'rows', table.name, 'changed', reason, null);
  }
  if (table.digest === null || other.digest === null)
    return table.digest === other.digest
      ? undefined
      : difference('not_compared', 'rows', table.name, 'unknown', table.reason ?? null, other.reason ?? null);
  if (table.rows === other.rows && table.digest === other.digest) return undefined;
  return difference('not_compared', 'rows', table.name, 'changed', `${say(table)} when last refreshed`, `${say(other)}, recomputed`);
}

/** The archive does not contain generated columns; their old values may come from an older expression or function. */
function compareGenerated({ name, generatedDigest: there }: TableContent, { generatedDigest: here }: TableContent): Difference | undefined {
  if (there === null || here === null) {
    const reason = 'as stored; not read, because an index of the table runs functions';
    return difference('not_compared', 'generated_columns', name, 'unknown', reason, 'as computed by the restore');
  }
  if (there === here) return undefined;
  return difference('not_compared', 'generated_columns', name, 'changed', 'as stored', 'as computed by the restore');
}

/**
 * The partitioned tables whose partitions have other rows than before although the table as a whole has the same rows. pg_dump loads some
 * partitions through their root, which distributes the rows anew: the hash of an enum, for example, depends on the database.
 */
function findRedistributed(expected: readonly TableContent[], found: readonly TableContent[]): ReadonlySet<string> {
  const [before, after] = [sumByRoot(expected), sumByRoot(found)];
  return new Set([...before.keys()].filter((root) => before.get(root) === after.get(root)));
}

/** By root: rows and digests of all partitions that were read, as one text. A digest is a sum over rows, so it adds up. */
function sumByRoot(tables: readonly TableContent[]): ReadonlyMap<string, string> {
  const sums = new Map<string, { rows: number; digest: bigint }>();
  for (const { root, rows, digest, comparison } of tables) {
    if (root === undefined || digest === null || comparison !== 'exact') continue;
    const sum = sums.get(root) ?? { rows: 0, digest: 0n };
    sums.set(root, { rows: sum.rows + rows, digest: sum.digest + BigInt(digest) });
  }
  return new Map([...sums].map(([root, { rows, digest }]) => [root, `${rows} ${digest}`]));
}

function movedReason(root: string): string {
  return `a restore distributes the rows of ${root} over its partitions anew, and ${root} as a whole is equal.`;
}

/** The rows of an extension's own table that it does not have dumped come back as the extension has them. */
function compareUndumped({ name, undumped: there }: TableContent, { undumped: here }: TableContent): Difference | undefined {
  if (there === undefined || (there.rows === here?.rows && there.digest === here.digest)) return undefined;
  const reason = `${there.rows} rows there and ${here?.rows ?? 'unknown'} after a restore are those that its extension does not have dumped, and they differ: changes to them are lost.`;
  return difference('left_out', 'rows', name, 'changed', reason, null);
}

function say({ rows, digest }: TableContent): string {
  return `${rows} rows, digest ${digest ?? 'unknown'}`;
}
