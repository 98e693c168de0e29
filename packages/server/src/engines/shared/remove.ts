import type { PostgresSession } from '../../postgres/connect.ts';
import { endSessions } from '../../postgres/sessions.ts';
import { quoteIdentifier } from '../../postgres/sql/quote.ts';
import type { PostgresTarget } from '../../postgres/target.ts';
import { dropRelations, dropSchemas, whileEndingBlockers } from './drop-schemas.ts';
import type { TenantNames } from './names.ts';
import { allowDdl } from './refuse-ddl.ts';
import { inTransaction, takeTurn } from './tenant-lock.ts';

/**
 * Removes schema, roles, ledger and standing of a tenant, and the objects that its roles own elsewhere (another tenant may have allowed
 * that): reassigning them would give functions that run as their owner to a role with more privileges.
 *
 * What others may have locked goes first, in pieces. What all tenants share is changed last, under the lock that all wait for.
 *
 * @param admin how the superuser connects to the shared database
 * @param session a superuser's there
 * @throws FluxError `instance_unavailable` when sessions of the tenant do not end
 */
export async function removeTenant(
  admin: PostgresTarget,
  session: PostgresSession,
  names: TenantNames,
  signal?: AbortSignal,
): Promise<void> {
  const roles = await listRoles(session, names);
  await shutOut(admin, session, roles, signal);
  await dropSchemas(admin, session, await listSchemas(session, names, roles));
  for (const owner of roles) await dropRelations(admin, session, { owner });
  // A schema of its own that somebody has renamed or dropped left rows behind.
  await session.query(
    `delete from flux.flux_migrations where tenant_schema = $1
       or (left(tenant_schema, 14) = left($1, 14) and substr(tenant_schema, 15) ~ '^_(next|before_[0-9]{14})$')`,
    [names.schema],
  );
  // A schema that is created under this name again must not inherit what the removed one was.
  await session.query('delete from flux.standings where tenant_schema = $1', [names.schema]);
  // Of a move that ended while the pool could not be reached.
  await allowDdl(session, names);
  if (roles.length > 0) await dropRoles(admin, session, roles);
}

/** Those roles of a tenant that exist. */
export async function listRoles(session: PostgresSession, names: TenantNames): Promise<readonly string[]> {
  const all = [names.login, names.backup, names.ddl, names.role];
  const found = await session.query<{ rolname: string }>('select rolname from pg_catalog.pg_roles where rolname = any($1)', [all]);
  return all.filter((name) => found.some(({ rolname }) => rolname === name));
}

/** Its own schema, which is the last, undo data, unfinished restores, and tables that were restored beside the live ones. */
export async function listSchemas(session: PostgresSession, names: TenantNames, roles: readonly string[]): Promise<readonly string[]> {
  const schemas = await session.query<{ name: string }>(
    'select nspname::text as name from pg_catalog.pg_namespace where nspname = $1 or pg_catalog.pg_get_userbyid(nspowner) = any($2) order by nspname = $1',
    [names.schema, roles],
  );
  return schemas.map(({ name }) => name);
}

/** Takes the roles and their rights away; what they still own are functions, types and the like. */
async function dropRoles(admin: PostgresTarget, session: PostgresSession, roles: readonly string[]): Promise<void> {
  const list = roles.map(quoteIdentifier).join(', ');
  await whileEndingBlockers(admin, session, async () => {
    try {
      await inTransaction(session, async () => {
        await takeTurn(session);
        await session.run(`DROP OWNED BY ${list} CASCADE; DROP ROLE ${list}`);
      });
    } catch (error) {
      await session.run('ROLLBACK').catch(() => undefined);
      throw error;
    }
  });
}

/** Lets the roles of a tenant log in no more, and ends their sessions. @throws FluxError `instance_unavailable` when one does not end */
export async function shutOut(
  admin: PostgresTarget,
  session: PostgresSession,
  roles: readonly string[],
  signal?: AbortSignal,
): Promise<void> {
  for (const role of roles) await whileEndingBlockers(admin, session, () => session.run(`ALTER ROLE ${quoteIdentifier(role)} NOLOGIN`));
  await endSessions(session, { roles }, { which: 'all', signal });
}
