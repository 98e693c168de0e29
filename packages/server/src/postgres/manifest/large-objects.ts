import type { PostgresSession } from '../connect.ts';
import type { LeftOut, Manifest } from '../manifest.ts';

/**
 * Counts and digests the large objects: numbers and contents. Their pages are read from pg_largeobject as they are stored; a
 * page that a sparse object lacks and one that is all zeros are the same content, because a restore writes the zeros out.
 *
 * @returns the digest null, and that as left out, when the role may not read pg_largeobject (only a superuser may by default)
 */
export async function readLargeObjects(
  session: PostgresSession,
): Promise<{ value: NonNullable<Manifest['largeObjects']>; leftOut?: readonly LeftOut[] }> {
  const [facts] = await session.query<{ count: string; readable: boolean }>(
    `SELECT count(*) AS count, has_table_privilege('pg_largeobject', 'SELECT') AS readable FROM pg_largeobject_metadata`,
  );
  const count = Number(facts?.count ?? 0);
  if (facts?.readable !== true)
    return count === 0
      ? { value: { count, digest: '0' } }
      : {
          value: { count, digest: null },
          leftOut: [
            {
              kind: 'large_object',
              name: 'content of large objects',
              reason: `The dumping role may not read the content of ${count} large objects; only their number is compared.`,
            },
          ],
        };
  const [row] = await session.query<{ digest: string }>(
    `SELECT coalesce(sum(digest), 0)::text AS digest FROM (
       SELECT hashtextextended(m.oid || ':' || coalesce(max(l.pageno::bigint * 2048 + octet_length(l.data)), 0), 0)
         + coalesce(sum(hashtextextended(l.loid || ':' || l.pageno || ':' || rtrim(encode(l.data, 'hex'), '0'), 0))
             FILTER (WHERE rtrim(encode(l.data, 'hex'), '0') <> ''), 0) AS digest
       FROM pg_largeobject_metadata m LEFT JOIN pg_largeobject l ON l.loid = m.oid GROUP BY m.oid) objects`,
  );
  return { value: { count, digest: row?.digest ?? '0' } };
}
