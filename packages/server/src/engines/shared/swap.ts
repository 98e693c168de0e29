import { connectPostgres, type PostgresSession } from '../../postgres/connect.ts';
import { quoteIdentifier } from '../../postgres/sql/quote.ts';
import type { PostgresTarget } from '../../postgres/target.ts';
import { type KeptData, keptNameFor, replacedAtOf, type SwapOutcome } from '../restore-side.ts';
import type { TenantNames } from './names.ts';
import { inTurn } from './turn.ts';

/**
 * Gives one schema the name of the tenant's live one, together with its lines of the ledger, in one transaction. Objects know
 * each other by number, so that policies, views and foreign keys stay what they are. Sessions of the tenant end afterwards:
 * a transaction that began before would go on writing to what is not live any more.
 */
export async function swapSchemas(
  admin: PostgresTarget,
  names: TenantNames,
  next: string,
  previous: 'keep' | 'drop',
): Promise<SwapOutcome> {
  await using session = await connectPostgres(admin);
  const kept = (await listKeptSchemas(session, names)).map(({ name }) => name);
  const keptAs = keptNameFor(names.schema.replace(/_api$/, ''), kept, new Date());
  const began = performance.now();
  await inTurn(session, async () => {
    await endSessions(session, names);
    await renameSchema(session, names.schema, keptAs);
    await renameSchema(session, next, names.schema);
  });
  await endSessions(session, names);
  const outageMs = Math.round(performance.now() - began);
  if (previous === 'keep') return { keptAs, outageMs };
  await inTurn(session, async () => {
    await session.run(`DROP SCHEMA IF EXISTS ${quoteIdentifier(keptAs)} CASCADE`);
    await session.query('delete from flux.flux_migrations where tenant_schema = $1', [keptAs]);
  });
  return { keptAs: null, outageMs };
}

/** The schemas that restores in place have kept, newest first. */
export async function listKeptSchemas(session: PostgresSession, { schema }: TenantNames): Promise<KeptData[]> {
  const rows = await session.query<{ name: string; size: string }>(
    `select nspname as name, (select coalesce(sum(pg_catalog.pg_total_relation_size(c.oid)), 0)::bigint
         from pg_catalog.pg_class c where c.relnamespace = n.oid and c.relkind in ('r', 'm', 'S')) as size
     from pg_catalog.pg_namespace n
     where left(nspname, length($1)) = $1 and substr(nspname, length($1) + 1) ~ '^_before_[0-9]{14}$' order by nspname desc`,
    [schema.replace(/_api$/, '')],
  );
  return rows.map(({ name, size }) => ({ name, replacedAt: replacedAtOf(name), sizeBytes: Number(size), isWhole: true }));
}

/** Drops kept schemas with their lines of the ledger. */
export async function dropKeptSchemas(session: PostgresSession, kept: readonly string[]): Promise<void> {
  for (const name of kept) {
    await inTurn(session, async () => {
      await session.run(`DROP SCHEMA IF EXISTS ${quoteIdentifier(name)} CASCADE`);
      await session.query('delete from flux.flux_migrations where tenant_schema = $1', [name]);
    });
  }
}

async function renameSchema(session: PostgresSession, from: string, to: string): Promise<void> {
  const [there] = await session.query('select from pg_catalog.pg_namespace where nspname = $1', [from]);
  if (there === undefined) return;
  await session.run(`ALTER SCHEMA ${quoteIdentifier(from)} RENAME TO ${quoteIdentifier(to)}`);
  await session.query('update flux.flux_migrations set tenant_schema = $2 where tenant_schema = $1', [from, to]);
}

async function endSessions(session: PostgresSession, { ddl, login }: TenantNames): Promise<void> {
  await session.query(
    `select pg_catalog.pg_terminate_backend(pid, 5000) from pg_catalog.pg_stat_activity
     where usename = any($1) and pid <> pg_catalog.pg_backend_pid()`,
    [[ddl, login]],
  );
}
