import { connectPostgres, type PostgresSession } from './connect.ts';
import { quoteIdentifier } from './sql/quote.ts';
import type { PostgresTarget } from './target.ts';

/** Where a sequence stands; its name is without schema, and not quoted. */
interface Position {
  readonly name: string;
  readonly lastValue: string;
  readonly isCalled: boolean;
}

/** Sequences in one statement. */
const BATCH = 400;

/** Reads where all sequences of a schema stand. @param session may read all of them */
export async function readPositions(session: PostgresSession, schema: string): Promise<Position[]> {
  const list = await session.query<{ name: string }>(
    `select c.relname as name from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     where c.relkind = 'S' and n.nspname = $1 order by c.oid`,
    [schema],
  );
  const positions: Position[] = [];
  for (let start = 0; start < list.length; start += BATCH) {
    const batch = list.slice(start, start + BATCH);
    const reads = batch.map(
      ({ name }, index) =>
        `select ${index} as i, last_value::text as "lastValue", is_called as "isCalled" from ${quoteIdentifier(schema)}.${quoteIdentifier(name)}`,
    );
    const rows = await session.query<{ i: number; lastValue: string; isCalled: boolean }>(reads.join(' union all '));
    for (const { i, lastValue, isCalled } of rows) positions.push({ name: (batch[i] as { name: string }).name, lastValue, isCalled });
  }
  return positions;
}

/**
 * Sets sequences of a schema where they stand in another one.
 *
 * @param target a role that may set all of them
 * @throws DatabaseError of `pg` when one is missing
 */
export async function setPositions(
  target: PostgresTarget,
  schema: string,
  positions: readonly Position[],
  signal?: AbortSignal,
): Promise<void> {
  if (positions.length === 0) return;
  await using session = await connectPostgres(target, { signal });
  await session.query(
    `select pg_catalog.setval(pg_catalog.format('%I.%I', $1::text, name)::pg_catalog.regclass, last, called)
     from unnest($2::text[], $3::bigint[], $4::bool[]) as at (name, last, called)`,
    [schema, positions.map(({ name }) => name), positions.map(({ lastValue }) => lastValue), positions.map(({ isCalled }) => isCalled)],
  );
}
