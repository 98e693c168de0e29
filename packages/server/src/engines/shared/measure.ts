import type { PostgresSession } from '../../postgres/connect.ts';
import { quoteLiteral } from '../../postgres/sql/quote.ts';
import type { TenantNames } from './names.ts';

/** Postgres cuts the file of a relation at this size, unless it was built otherwise. */
const SEGMENT = 2 ** 30;

/**
 * How many bytes of disk a tenant takes: its schema, and those that a restore works on or an undo needs, with indexes and TOAST. The files are
 * asked, since every function that gives the size of a relation waits for its locks.
 *
 * @param session a superuser's, in the shared database
 */
export async function measureTenant(session: PostgresSession, { schema }: TenantNames): Promise<number> {
  const prefix = schema.replace(/api$/, '');
  const [found] = await session.query<{ bytes: string }>(
    `with recursive own as (
       select c.oid, c.reltoastrelid from pg_class c join pg_namespace n on n.oid = c.relnamespace
       where left(n.nspname, ${prefix.length}) = ${quoteLiteral(prefix)} and c.relpersistence <> 't'
     ), files as (
       select pg_relation_filepath(oid) as path from (
         select oid from own union select reltoastrelid from own where reltoastrelid <> 0
         union select indexrelid from pg_index where indrelid in (select reltoastrelid from own)) as relations
     ), segments as (
       select path, 0 as n, (pg_stat_file(path, true)).size from files where path is not null
       union all
       select path, n + 1, (pg_stat_file(path || '.' || (n + 1), true)).size from segments where size = ${SEGMENT}
     )
     select coalesce(sum(size), 0)::text as bytes from segments`,
  );
  return Number(found?.bytes ?? 0);
}
