import { connectPostgres } from '../../postgres/connect.ts';
import { ensureApiRoles, ensureRole, setRolePassword } from '../../postgres/roles.ts';
import { quoteIdentifier } from '../../postgres/sql/quote.ts';
import type { PostgresTarget } from '../../postgres/target.ts';
import type { Log } from '../../system/log.ts';
import { ensureAuthSchema } from '../auth-schema.ts';
import type { EngineProject } from '../engine.ts';
import { ensureOwnLedger } from '../ledger.ts';
import { connectAsRole } from '../login.ts';
import { versionOf } from '../running.ts';
import { databaseNameOf, ownerNameOf } from './names.ts';

/** Creates the roles and the database in a running instance. */
export async function provisionCluster(admin: PostgresTarget, project: EngineProject, signal?: AbortSignal): Promise<void> {
  await using session = await connectPostgres(admin, { signal });
  const name = ownerNameOf(project);
  const password = project.secrets.loginPassword;
  const [role] = await session.query('select from pg_catalog.pg_roles where rolname = $1', [name]);
  // Settings that the owner gave to itself stay; only the password is managed by Flux.
  if (role === undefined) await ensureRole(session, { name, password });
  else await setRolePassword(session, name, password);
  await ensureApiRoles(session);
  const database = databaseNameOf(project);
  const [found] = await session.query('select from pg_catalog.pg_database where datname = $1', [database]);
  const quoted = quoteIdentifier(database);
  if (found === undefined) await session.run(`CREATE DATABASE ${quoted} OWNER ${quoteIdentifier(name)} TEMPLATE template0 ENCODING 'UTF8'`);
  // Data in another database of this server would not be in any backup.
  await session.run(`REVOKE ALL ON DATABASE ${quoted}, postgres, template1 FROM PUBLIC`);
}

/**
 * Creates the contents of a new project. The owner itself creates everything that pg_dump would dump: pg_restore --clean drops
 * it as the owner, which could not drop objects of the superuser.
 */
export async function provisionDatabase(admin: PostgresTarget, owner: PostgresTarget, log: Log, signal?: AbortSignal): Promise<void> {
  await usePublicAsOwner(admin, owner.user, signal);
  await using session = await connectAsRole(owner, admin, log, { signal });
  await session.run('BEGIN');
  await ensureAuthSchema(session, 'anon, authenticated, service_role');
  await ensureOwnLedger(session);
  await session.run('COMMIT');
}

/** From 15 on the owner of the database owns `public` through pg_database_owner; before, the superuser does. */
async function usePublicAsOwner(admin: PostgresTarget, owner: string, signal?: AbortSignal): Promise<void> {
  await using session = await connectPostgres(admin, { signal });
  if ((await versionOf(session)).major >= 15) return;
  const [found] = await session.query(`select from pg_catalog.pg_namespace where nspname = 'public'`);
  if (found === undefined) return;
  await session.run(`ALTER SCHEMA public OWNER TO ${quoteIdentifier(owner)}; REVOKE CREATE ON SCHEMA public FROM PUBLIC`);
}
