import type { PostgresSession } from '../connect.ts';
import { LOCALE_COLUMNS } from '../database-locale.ts';
import type { Manifest } from '../manifest.ts';

/**
 * SQL: whether a value of type money is in the data or in an expression of the database. Its text depends on lc_monetary, and with another
 * one it is not read back, or as another amount. A constant in a stored expression carries the number of its type.
 */
const HAS_MONEY = `(SELECT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid >= 16384 AND a.atttypid IN ('money'::regtype, 'money[]'::regtype))
  OR EXISTS (SELECT FROM pg_type t WHERE t.oid >= 16384 AND t.typbasetype IN ('money'::regtype, 'money[]'::regtype))
  OR EXISTS (SELECT FROM pg_range r WHERE r.rngsubtype = 'money'::regtype)
  OR EXISTS (SELECT FROM pg_attrdef e WHERE e.adbin::text LIKE '%:consttype 790 %')
  OR EXISTS (SELECT FROM pg_constraint e WHERE e.conbin::text LIKE '%:consttype 790 %')
  OR EXISTS (SELECT FROM pg_proc e WHERE e.oid >= 16384 AND e.proargdefaults::text LIKE '%:consttype 790 %')
  OR EXISTS (SELECT FROM pg_rewrite e WHERE e.oid >= 16384 AND e.ev_action::text LIKE '%:consttype 790 %'))`;

/** Version, encoding and locale of the database that a session is in. */
export async function readServerFacts(session: PostgresSession): Promise<Manifest['server']> {
  const [row] = await session.query<Omit<Manifest['server'], 'databaseBytes'> & { databaseBytes: string }>(
    `SELECT split_part(current_setting('server_version'), ' ', 1) AS version, current_setting('server_version_num')::int / 10000 AS major,
       ${LOCALE_COLUMNS}, to_jsonb(d)->>'datcollversion' AS "collationVersion",
       d.datname AS database, pg_database_size(d.oid) AS "databaseBytes",
       CASE WHEN ${HAS_MONEY} THEN (SELECT reset_val FROM pg_settings WHERE name = 'lc_monetary') END AS "moneyLocale"
     FROM pg_database d WHERE d.datname = current_database()`,
  );
  if (row === undefined) throw new Error('pg_database does not list the current database');
  return { ...row, databaseBytes: Number(row.databaseBytes) };
}
