import { connectPostgres, type PostgresSession } from '../../postgres/connect.ts';
import { estimatedTotalBytes } from '../../postgres/estimated-size.ts';
import type { Prerequisites } from '../../postgres/manifest/prerequisites/data.ts';
import { endSessions } from '../../postgres/sessions.ts';
import { quoteIdentifier } from '../../postgres/sql/quote.ts';
import type { PostgresTarget } from '../../postgres/target.ts';
import { commitSwap } from '../commit-swap.ts';
import { replacedAtOf, type SwapOutcome, type UndoData, undoNameFor } from '../undo.ts';
import { dropSchemas } from './drop-schemas.ts';
import type { TenantNames } from './names.ts';
import { renderRoleDefaults } from './standard-rights.ts';

export interface SchemaSwap {
  readonly next: string;
  readonly previous: 'keep' | 'drop';
  /** From when on the replaced data is kept: the latest time that was seen, because a clock that is behind would let it go early. */
  readonly at: Date;
  /** Recorded default privileges of the tenant's role in all schemas. */
  readonly defaults: Pick<Prerequisites, 'defaultRevocations' | 'defaultPrivileges'>;
}

/**
 * Renames one schema to the name of the tenant's live one, together with its rows in the ledger, in one transaction. Objects reference
 * each other by OID, so policies, views and foreign keys stay as they are. Sessions of the tenant end afterwards: a
 * transaction that began before would continue to write to data that is no longer live.
 *
 * @throws what `commitSwap` throws
 */
export async function swapSchemas(
  admin: PostgresTarget,
  names: TenantNames,
  { next, previous, defaults, at }: SchemaSwap,
  signal?: AbortSignal,
): Promise<SwapOutcome> {
  signal?.throwIfAborted();
  // From here on aborts are ignored: a connection that is dropped during COMMIT would leave open which of the two is live.
  await using session = await connectPostgres(admin);
  const existing = (await listUndoSchemas(session, names)).map(({ name }) => name);
  const undoName = undoNameFor(names.schema.replace(/_api$/, ''), existing, at);
  const sessions = { roles: [names.ddl, names.login] };
  const began = performance.now();
  await session.run('BEGIN');
  await endSessions(session, sessions, { which: 'present' });
  const isReplaced = await renameSchema(session, names.schema, undoName);
  await renameSchema(session, next, names.schema);
  await session.run(`SET LOCAL ROLE ${quoteIdentifier(names.ddl)}`);
  for (const statement of await renderRoleDefaults(session, names.ddl, defaults)) await session.run(statement);
  await session.run('RESET ROLE');
  await commitSwap({ session, admin, creates: isReplaced ? undoName : names.schema, isThere: hasSchema, previous });
  // The swap is committed: a session that takes longer to end aborts its transaction when it does.
  await inAnotherSession(admin, (another) => endSessions(another, sessions, { which: 'present' })).catch(() => undefined);
  const outageMs = Math.round(performance.now() - began);
  if (!isReplaced) return { undoName: null, outageMs };
  if (previous === 'keep') return { undoName, outageMs };
  await inAnotherSession(admin, (another) => dropSchemas(admin, another, [undoName]));
  return { undoName: null, outageMs };
}

/** The schemas that restores in place have replaced, newest first. */
export async function listUndoSchemas(session: PostgresSession, { schema }: TenantNames): Promise<UndoData[]> {
  const rows = await session.query<{ name: string; size: string }>(
    `select nspname as name, (select coalesce(sum(${estimatedTotalBytes('c')}), 0)::bigint
         from pg_catalog.pg_class c where c.relnamespace = n.oid and c.relkind in ('r', 'm', 'S')) as size
     from pg_catalog.pg_namespace n
     where left(nspname, length($1)) = $1 and substr(nspname, length($1) + 1) ~ '^_before_[0-9]{14}$' order by nspname desc`,
    [schema.replace(/_api$/, '')],
  );
  return rows.map(({ name, size }) => ({ name, replacedAt: replacedAtOf(name), sizeBytes: Number(size), isWhole: true }));
}

/** That of the swap may be lost by now. */
async function inAnotherSession(admin: PostgresTarget, work: (session: PostgresSession) => Promise<void>): Promise<void> {
  await using session = await connectPostgres(admin);
  await work(session);
}

async function hasSchema(session: PostgresSession, name: string): Promise<boolean> {
  return (await session.query('select from pg_catalog.pg_namespace where nspname = $1', [name])).length > 0;
}

/** @returns whether there was such a schema */
async function renameSchema(session: PostgresSession, from: string, to: string): Promise<boolean> {
  if (!(await hasSchema(session, from))) return false;
  await session.run(`ALTER SCHEMA ${quoteIdentifier(from)} RENAME TO ${quoteIdentifier(to)}`);
  await session.query('update flux.flux_migrations set tenant_schema = $2 where tenant_schema = $1', [from, to]);
  return true;
}
