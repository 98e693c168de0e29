import { isFluxError } from '@flux/contract/errors';
import { type ConnectOptions, connectPostgres, type PostgresSession } from '../postgres/connect.ts';
import { setRolePassword } from '../postgres/roles.ts';
import type { PostgresTarget } from '../postgres/target.ts';
import type { Log } from '../system/log.ts';

/** Postgres refuses the password. Source: the manual, appendix A, `invalid_password`. */
const INVALID_PASSWORD = '28P01';
const TOO_MANY_CONNECTIONS = '53300';

/**
 * Opens a session as a role whose password Flux manages. Any role may change its own password, so one that is refused is set
 * again by the administrator, once: the password in the catalog is the valid one.
 *
 * @param admin where the superuser connects; only used when the password is refused
 * @throws FluxError `instance_unavailable`
 */
export async function connectAsRole(
  target: PostgresTarget,
  admin: PostgresTarget,
  log: Log,
  options: ConnectOptions = {},
): Promise<PostgresSession> {
  try {
    return await connectPostgres(target, options);
  } catch (error) {
    if (!isFluxError(error, 'instance_unavailable') || error.details.sqlState !== INVALID_PASSWORD) throw error;
    const { password } = target;
    if (password === undefined) throw error;
    log.warn({ role: target.user }, 'the password of a managed role was changed; setting it again');
    await using session = await connectPostgres(admin, { signal: options.signal });
    const [role] = await session.query('select from pg_catalog.pg_roles where rolname = $1', [target.user]);
    if (role === undefined) throw error;
    await setRolePassword(session, target.user, password);
    return await connectPostgres(target, options);
  }
}

/**
 * Makes sure that the password in the catalog is valid. A server that has no connection left for the role says nothing about
 * the password, so it is left alone then.
 *
 * @throws FluxError `instance_unavailable`
 */
export async function ensurePassword(target: PostgresTarget, admin: PostgresTarget, log: Log, signal?: AbortSignal): Promise<void> {
  try {
    await (await connectAsRole(target, admin, log, { signal })).close();
  } catch (error) {
    if (!isFluxError(error) || error.details.sqlState !== TOO_MANY_CONNECTIONS) throw error;
  }
}
