import { setTimeout as delay } from 'node:timers/promises';
import { connectPostgres, type PostgresSession, sqlStateOf } from '../../postgres/connect.ts';
import { LOCK_NOT_AVAILABLE } from '../../postgres/lock-watch.ts';
import { quoteIdentifier } from '../../postgres/sql/quote.ts';
import type { PostgresTarget } from '../../postgres/target.ts';

/** So many relations are dropped in one transaction: it locks each of them, and all sessions of a server share one table of locks. */
const BATCH = 100;
/** What blocks us is ended after this long. */
const GRACE_MS = 100;
const POLL_MS = 50;
const ATTEMPTS = 5;
/** lock_not_available, deadlock_detected, and "tuple concurrently updated". */
const CONFLICTS = new Set([LOCK_NOT_AVAILABLE, '40P01', 'XX000']);

/** Which relations are dropped: those in a schema, or those of a role wherever they are. */
type Whose = { readonly schema: string } | { readonly owner: string };

const DROPS = {
  r: 'TABLE',
  p: 'TABLE',
  f: 'FOREIGN TABLE',
  v: 'VIEW',
  m: 'MATERIALIZED VIEW',
  S: 'SEQUENCE',
} as const;

/**
 * Drops schemas of a tenant with everything in them, piece by piece: what is dropped stays dropped after a failure. Nobody else keeps a
 * right to them, and sessions of tenants that have locks on what is in them end.
 *
 * @param admin how the superuser connects to the shared database
 * @param session a superuser's there, in no transaction
 */
export async function dropSchemas(admin: PostgresTarget, session: PostgresSession, schemas: readonly string[]): Promise<void> {
  for (const schema of schemas) {
    await revokeFromOthers(session, schema);
    await dropRelations(admin, session, { schema });
    await whileEndingBlockers(admin, session, () => session.run(`DROP SCHEMA IF EXISTS ${quoteIdentifier(schema)} CASCADE`));
    await session.query('delete from flux.flux_migrations where tenant_schema = $1', [schema]);
  }
}

/** Drops relations, some at once. */
export async function dropRelations(admin: PostgresTarget, session: PostgresSession, whose: Whose): Promise<void> {
  for (let batch = await listRelations(session, whose); batch.length > 0; batch = await listRelations(session, whose)) {
    for (const kind of Object.keys(DROPS) as (keyof typeof DROPS)[]) {
      const names = batch.filter(({ relkind }) => relkind === kind).map(({ name }) => name);
      if (names.length === 0) continue;
      await whileEndingBlockers(admin, session, () => session.run(`DROP ${DROPS[kind]} IF EXISTS ${names.join(', ')} CASCADE`));
    }
  }
}

/** Not those that go with another: a partition, and the sequence of a column. */
async function listRelations(session: PostgresSession, whose: Whose): Promise<readonly { name: string; relkind: keyof typeof DROPS }[]> {
  const [condition, value] =
    'schema' in whose ? ['n.nspname = $1', whose.schema] : ['pg_catalog.pg_get_userbyid(c.relowner) = $1', whose.owner];
  return await session.query(
    `select pg_catalog.format('%I.%I', n.nspname, c.relname) as name, c.relkind from pg_catalog.pg_class c
       join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     where ${condition} and c.relkind = any('{r,p,f,v,m,S}') and not c.relispartition and n.nspname !~ '^pg_'
       and not exists (select from pg_catalog.pg_depend d where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = c.oid and d.deptype in ('a', 'i', 'e')
         and c.relkind = 'S')
     order by c.oid limit ${BATCH}`,
    [value],
  );
}

/** Whoever was given rights could go on taking locks. */
export async function revokeFromOthers(session: PostgresSession, schema: string): Promise<void> {
  const grants = await session.query<{ kind: string; grantee: string | null }>(
    `with given as (
       select 'SCHEMA' as kind, x.grantee, n.nspowner as owner from pg_catalog.pg_namespace n, aclexplode(n.nspacl) x where n.nspname = $1
       union select case c.relkind when 'S' then 'ALL SEQUENCES IN SCHEMA' else 'ALL TABLES IN SCHEMA' end, x.grantee, c.relowner
         from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace, aclexplode(c.relacl) x where n.nspname = $1
       union select 'ALL ROUTINES IN SCHEMA', x.grantee, p.proowner
         from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace, aclexplode(p.proacl) x where n.nspname = $1)
     select distinct kind, case grantee when 0 then null else pg_catalog.pg_get_userbyid(grantee)::text end as grantee from given where grantee <> owner`,
    [schema],
  );
  for (const { kind, grantee } of grants) {
    const from = grantee === null ? 'PUBLIC' : quoteIdentifier(grantee);
    await session.run(`REVOKE ALL ON ${kind} ${quoteIdentifier(schema)} FROM ${from} CASCADE`);
  }
}

/**
 * Runs a statement that needs locks, and ends the sessions of tenants that have them. Roles that dump, and those that are not tenants', are
 * waited for instead, as long as `lock_timeout` says.
 */
export async function whileEndingBlockers(admin: PostgresTarget, session: PostgresSession, work: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const done = new AbortController();
    const ending = endBlockers(admin, session.backendPid, done.signal);
    try {
      return await work();
    } catch (error) {
      if (attempt >= ATTEMPTS || !CONFLICTS.has(sqlStateOf(error) ?? '')) throw error;
    } finally {
      done.abort();
      await ending;
    }
  }
}

async function endBlockers(admin: PostgresTarget, pid: number, until: AbortSignal): Promise<void> {
  const pause = (ms: number) => delay(ms, undefined, { signal: until }).catch(() => undefined);
  await pause(GRACE_MS);
  if (until.aborted) return;
  try {
    await using session = await connectPostgres(admin, { signal: until });
    for (; !until.aborted; await pause(POLL_MS)) {
      await session.query(
        `select pg_catalog.pg_terminate_backend(a.pid) from pg_catalog.unnest(pg_catalog.pg_blocking_pids($1)) as b(pid)
           join pg_catalog.pg_stat_activity a on a.pid = b.pid where a.usename ~ '^t_[0-9a-f]{12}_(login|ddl)$'`,
        [pid],
      );
    }
  } catch {
    // The statement itself tells what is wrong: it runs into its lock_timeout.
  }
}
