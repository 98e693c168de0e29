import * as z from 'zod';
import type { PostgresSession } from './connect.ts';

/** A reading of Postgres's own counters of changes: two readings show roughly what was written between them. */
export const ChangeMarks = z
  .object({
    version: z.literal(1),
    /** Whether the server counts at all (`track_counts`). */
    isCounting: z.boolean(),
    /** Database and schema, by OID: one that was replaced under the same name has other counters. */
    place: z.string(),
    /** When the counters were last reset, in seconds since 1970: of this database, and of the whole server, which a crash also resets. */
    databaseResetAt: z.string().nullable(),
    serverResetAt: z.string().nullable(),
    /** By oid: the file of the table's rows, which TRUNCATE and other rewrites replace, and rows inserted, updated, deleted. */
    tables: z.record(z.string(), z.tuple([z.string(), z.number(), z.number(), z.number()]).readonly()),
  })
  .readonly();
/** Where Postgres's own counters of changes stood at a moment. */
export type ChangeMarks = z.infer<typeof ChangeMarks>;

/** Everything except the rows of Flux itself in a user's database: its ledger. */
const IS_USERS = `n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'flux')`;

/**
 * Reads the counters of a schema, or of the whole database. They are not part of any snapshot: a session reports what it has
 * written when it is idle or ends, about a second late, and rows of transactions that were rolled back count too.
 *
 * Source: the manual, "The Cumulative Statistics System"; counters are saved by a clean shutdown and dropped after a crash.
 */
export async function readChangeMarks(session: PostgresSession, schema: string | null): Promise<ChangeMarks> {
  const [server] = await session.query<Omit<ChangeMarks, 'tables' | 'version'>>(
    `select pg_catalog.current_setting('track_counts') = 'on' as "isCounting",
            d.oid || coalesce('/' || (select n.oid from pg_catalog.pg_namespace n where n.nspname = $1), '') as place,
            extract(epoch from s.stats_reset)::pg_catalog.text as "databaseResetAt",
            (select extract(epoch from b.stats_reset)::pg_catalog.text from pg_catalog.pg_stat_bgwriter b) as "serverResetAt"
       from pg_catalog.pg_database d left join pg_catalog.pg_stat_database s on s.datid = d.oid
      where d.datname = pg_catalog.current_database()`,
    [schema],
  );
  if (server === undefined) throw new Error('the current database is not listed in pg_stat_database');
  const rows = await session.query<{ oid: string; filenode: string; inserted: string; updated: string; deleted: string }>(
    `select c.oid::pg_catalog.text as oid, c.relfilenode::pg_catalog.text as filenode,
            pg_catalog.pg_stat_get_tuples_inserted(c.oid) as inserted, pg_catalog.pg_stat_get_tuples_updated(c.oid) as updated,
            pg_catalog.pg_stat_get_tuples_deleted(c.oid) as deleted
       from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      where c.relkind = 'r' and c.relpersistence <> 't' and ${IS_USERS} and ($1::pg_catalog.text is null or n.nspname = $1)`,
    [schema],
  );
  const tables = Object.fromEntries(
    rows.map((row) => [row.oid, [row.filenode, Number(row.inserted), Number(row.updated), Number(row.deleted)] as const]),
  );
  return { version: 1, ...server, tables };
}
