import type { PostgresSession } from '../connect.ts';
import type { Manifest } from '../manifest.ts';

/** Version, encoding and locale of the database that a session is in. */
export async function readServerFacts(session: PostgresSession): Promise<Manifest['server']> {
  const [row] = await session.query<Omit<Manifest['server'], 'databaseBytes'> & { databaseBytes: string }>(
    `SELECT split_part(current_setting('server_version'), ' ', 1) AS version, current_setting('server_version_num')::int / 10000 AS major,
       pg_encoding_to_char(d.encoding) AS encoding, d.datcollate AS collate, d.datctype AS ctype, to_jsonb(d)->>'datcollversion' AS "collationVersion",
       d.datname AS database, pg_database_size(d.oid) AS "databaseBytes"
     FROM pg_database d WHERE d.datname = current_database()`,
  );
  if (row === undefined) throw new Error('pg_database does not list the current database');
  return { ...row, databaseBytes: Number(row.databaseBytes) };
}
