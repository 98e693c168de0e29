import { setTimeout as delay } from 'node:timers/promises';
import { FluxError } from '@flux/contract/errors';
import type { PostgresSession } from '../../postgres/connect.ts';
import { quoteIdentifier } from '../../postgres/sql/quote.ts';
import type { TenantNames } from './names.ts';
import { inTurn } from './turn.ts';

const PATIENCE_MS = 15_000;

/**
 * Removes schema, roles and ledger of a tenant. What its roles own elsewhere (another tenant may have let them) goes too: to
 * reassign it would hand functions that run as their owner to somebody with more power.
 *
 * @param session a superuser's, in the shared database
 * @throws FluxError `instance_unavailable` when sessions of the tenant do not end
 */
export async function removeTenant(session: PostgresSession, names: TenantNames): Promise<void> {
  const all = [names.login, names.backup, names.ddl, names.role];
  const found = await session.query<{ rolname: string }>('select rolname from pg_catalog.pg_roles where rolname = any($1)', [all]);
  const roles = all.filter((name) => found.some(({ rolname }) => rolname === name));
  for (const role of roles) await session.run(`ALTER ROLE ${quoteIdentifier(role)} NOLOGIN`);
  await endSessions(session, roles);
  await inTurn(session, async () => {
    await session.run(`DROP SCHEMA IF EXISTS ${quoteIdentifier(names.schema)} CASCADE`);
    for (const role of roles) await session.run(`DROP OWNED BY ${quoteIdentifier(role)} CASCADE; DROP ROLE ${quoteIdentifier(role)}`);
    // Also the lines of what a restore has kept, or left half-made: their schemas went with what the roles owned.
    await session.query(
      `delete from flux.flux_migrations where tenant_schema = $1
         or (left(tenant_schema, 14) = left($1, 14) and substr(tenant_schema, 15) ~ '^_(next|before_[0-9]{14})$')`,
      [names.schema],
    );
  });
}

async function endSessions(session: PostgresSession, roles: readonly string[]): Promise<void> {
  for (const deadline = Date.now() + PATIENCE_MS; ; await delay(50)) {
    const alive = await session.query(
      'select pg_catalog.pg_terminate_backend(pid) from pg_catalog.pg_stat_activity where usename = any($1)',
      [roles],
    );
    if (alive.length === 0) return;
    if (Date.now() > deadline)
      throw new FluxError('instance_unavailable', `${alive.length} sessions of ${roles.join(', ')} do not end.`, {
        hint: 'Run the same command again; nothing of the schema has been removed yet.',
      });
  }
}
