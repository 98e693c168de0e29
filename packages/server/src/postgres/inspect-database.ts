import { connectPostgres } from './connect.ts';
import type { PostgresTarget } from './target.ts';

/** The content of a database that Flux does not manage. */
export interface DatabaseContent {
  readonly major: number;
  /** How many schemas, relations, functions and types were created in it; members of extensions are not counted. */
  readonly objects: number;
  /** How many locks all transactions of the server can have together. */
  readonly locks: number;
}

/** Examines a database as the role of the target. @throws FluxError `instance_unavailable` */
export async function inspectDatabase(target: PostgresTarget, signal?: AbortSignal): Promise<DatabaseContent> {
  await using session = await connectPostgres(target, { signal, withinMs: target.lookWithinMs });
  const [row] = await session.query<{ number: number; objects: string; locks: number }>(
    `with own as (select oid from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema'),
     made as (
       select 'pg_namespace'::regclass as classid, n.oid from pg_namespace n join own using (oid) where n.nspname <> 'public'
       union all select 'pg_class'::regclass, c.oid from pg_class c where c.relnamespace in (select oid from own) and c.relkind <> 'i'
       union all select 'pg_proc'::regclass, p.oid from pg_proc p where p.pronamespace in (select oid from own)
       union all select 'pg_type'::regclass, t.oid from pg_type t where t.typnamespace in (select oid from own) and t.typrelid = 0 and t.typelem = 0)
     select current_setting('server_version_num')::int as number,
       -- Source: the manual, max_locks_per_transaction.
       current_setting('max_locks_per_transaction')::int * (current_setting('max_connections')::int + current_setting('max_prepared_transactions')::int) as locks,
       (select count(*) from made m where not exists
         (select from pg_depend d where d.classid = m.classid and d.objid = m.oid and d.deptype = 'e')) as objects`,
  );
  return { major: Math.floor((row?.number ?? 0) / 10_000), objects: Number(row?.objects ?? 0), locks: row?.locks ?? 0 };
}
