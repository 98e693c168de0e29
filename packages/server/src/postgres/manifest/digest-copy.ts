import { createHash } from 'node:crypto';
import type { PostgresSession } from '../connect.ts';
import { quoteIdentifier } from '../sql/quote.ts';

/** A table as COPY needs it. */
export interface CopiedTable {
  readonly schema: string;
  readonly table: string;
  readonly columns: ReadonlyArray<{ readonly name: string; readonly generated: '' | 's' | 'v' }>;
}

/**
 * Counts and digests the rows of a table from the lines that COPY prints, without planning a query. The digest is the sum of a 64-bit hash
 * of each line, independent of the order of rows. Generated columns are left out, as in a dump.
 *
 * @throws DatabaseError of `pg`
 */
export async function digestCopy(
  session: PostgresSession,
  { schema, table, columns }: CopiedTable,
): Promise<{ rows: number; digest: string }> {
  // By name: a restore may reorder inherited columns.
  const names = columns.flatMap(({ name, generated }) => (generated === '' ? [name] : [])).sort((a, b) => (a < b ? -1 : 1));
  const list = names.length === 0 ? '' : ` (${names.map(quoteIdentifier).join(', ')})`;
  let rows = 0;
  let sum = 0n;
  await session.copyOut(`COPY ${quoteIdentifier(schema)}.${quoteIdentifier(table)}${list} TO STDOUT`, (row) => {
    rows++;
    sum += createHash('sha256').update(row).digest().readBigInt64BE(0);
  });
  return { rows, digest: String(sum) };
}
