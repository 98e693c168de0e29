import type { PostgresSession } from '../../postgres/connect.ts';
import { endSessions } from '../../postgres/sessions.ts';
import { quoteIdentifier } from '../../postgres/sql/quote.ts';
import type { TenantNames } from './names.ts';
import { withTenantLock } from './tenant-lock.ts';

/**
 * Removes schema, roles and ledger of a tenant, and the objects that its roles own elsewhere (another tenant may have allowed
 * that): reassigning them would give functions that run as their owner to a role with more privileges.
 *
 * @param session a superuser's, in the shared database
 * @throws FluxError `instance_unavailable` when sessions of the tenant do not end
 */
export async function removeTenant(session: PostgresSession, names: TenantNames, signal?: AbortSignal): Promise<void> {
  const all = [names.login, names.backup, names.ddl, names.role];
  const found = await session.query<{ rolname: string }>('select rolname from pg_catalog.pg_roles where rolname = any($1)', [all]);
  const roles = all.filter((name) => found.some(({ rolname }) => rolname === name));
  for (const role of roles) await session.run(`ALTER ROLE ${quoteIdentifier(role)} NOLOGIN`);
  await endSessions(session, { roles }, { which: 'all', signal });
  await withTenantLock(session, async () => {
    await session.run(`DROP SCHEMA IF EXISTS ${quoteIdentifier(names.schema)} CASCADE`);
    for (const role of roles) await session.run(`DROP OWNED BY ${quoteIdentifier(role)} CASCADE; DROP ROLE ${quoteIdentifier(role)}`);
    // Also the rows of undo data and of unfinished restores: their schemas were dropped with the objects of the roles.
    await session.query(
      `delete from flux.flux_migrations where tenant_schema = $1
         or (left(tenant_schema, 14) = left($1, 14) and substr(tenant_schema, 15) ~ '^_(next|before_[0-9]{14})$')`,
      [names.schema],
    );
  });
}
