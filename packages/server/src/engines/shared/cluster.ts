import { FluxError, isFluxError } from '@flux/contract/errors';
import type { InstanceRuntime, InstanceStatus } from '../../instances/instance.ts';
import { connectPostgres, type PostgresSession } from '../../postgres/connect.ts';
import { SessionPlaces } from '../../postgres/session-places.ts';
import type { PostgresTarget } from '../../postgres/target.ts';
import type { Log } from '../../system/log.ts';
import { askVersion, requirePort } from '../running.ts';
import { ensureSharedLayout, hasSharedLayout } from './layout.ts';
import { shutOwners } from './owner-login.ts';
import { limitOwners, limitTempFiles } from './temp-files.ts';
import { retryAfterRace } from './tenant-lock.ts';

/** The database that all tenants share. */
const SHARED_DATABASE = 'flux_shared';

/** State of the cluster as it is now. */
export interface ClusterStatus extends Omit<InstanceStatus, 'major'> {
  /** Null when an external cluster could not be asked. */
  readonly major: number | null;
}

/** The pooled cluster that v2 projects live in. */
export interface SharedCluster {
  /**
   * Creates, starts and prepares the cluster as far as needed. May be called again and at the same time.
   *
   * @throws FluxError `instance_unavailable`, `config_invalid` when the administrator of an external one is not a superuser
   */
  open(signal?: AbortSignal): Promise<void>;
  /**
   * Brings an existing cluster up to date, and undoes what a killed server has left half-done.
   *
   * @throws FluxError `not_found` when there is none, `instance_unavailable`
   */
  prepare(signal?: AbortSignal): Promise<void>;
  /** The largest temporary files of one session of a tenant, in bytes; undefined for no limit. */
  readonly tempFileBytes: number | undefined;
  /** How the superuser connects to the shared database; nothing is started. @throws FluxError `not_found` before `open` */
  admin(): PostgresTarget;
  status(signal?: AbortSignal): Promise<ClusterStatus>;
  /** Host and port for programs of users. */
  address(): Promise<{ readonly host: string; readonly port: number }>;
}

export interface EmbeddedClusterParts {
  readonly runtime: InstanceRuntime;
  /** The major of a new cluster. */
  readonly major: () => number;
  readonly publicHost: string;
  readonly tempFileBytes?: number | undefined;
}

/** The instance `shared` of the runtime, created with the first v2 project. */
export function embeddedSharedCluster({ runtime, major, publicHost, tempFileBytes }: EmbeddedClusterParts): SharedCluster {
  const admin = () => runtime.superuser('shared', SHARED_DATABASE);
  return {
    async open(signal) {
      const settings = { max_connections: '200', max_locks_per_transaction: '256' };
      await runtime.create({ id: 'shared', major: major(), network: 'loopback', settings }, signal);
      await retryAfterRace(() => withSession(runtime.superuser('shared'), signal, ensureSharedDatabase));
      await retryAfterRace(() => withSession(admin(), signal, (session) => ensureLayout(session, tempFileBytes)));
    },
    prepare: async (signal) => prepare(admin(), tempFileBytes, signal),
    tempFileBytes,
    admin,
    status: () => runtime.status('shared'),
    async address() {
      return { host: publicHost, port: requirePort(await runtime.status('shared')) };
    },
  };
}

/** A cluster that the operator runs, for Flux alone; its administrator must be a superuser. */
export function externalSharedCluster({
  target: given,
  log,
  tempFileBytes,
}: {
  readonly target: PostgresTarget;
  readonly log: Log;
  readonly tempFileBytes?: number | undefined;
}): SharedCluster {
  const target = { ...given, places: new SessionPlaces() };
  return {
    open: (signal) =>
      retryAfterRace(() =>
        withSession(target, signal, async (session) => {
          await requireSuperuser(session, target);
          await ensureLayout(session, tempFileBytes);
          await warnOfOpenDatabases(session, log);
        }),
      ),
    prepare: async (signal) => prepare(target, tempFileBytes, signal),
    tempFileBytes,
    admin: () => target,
    async status(signal) {
      const known = { id: 'shared', port: target.port, restarts: 0, lastRestartAt: null };
      try {
        return { ...known, state: 'running', major: (await askVersion(target, signal)).major, problem: null };
      } catch (error) {
        if (!isFluxError(error)) throw error;
        return { ...known, state: 'failing', major: null, problem: error.message };
      }
    },
    address: async () => ({ host: target.host, port: target.port }),
  };
}

async function ensureLayout(session: PostgresSession, tempFileBytes: number | undefined): Promise<void> {
  await ensureSharedLayout(session);
  await limitTempFiles(session, tempFileBytes);
}

async function prepare(target: PostgresTarget, tempFileBytes: number | undefined, signal: AbortSignal | undefined): Promise<void> {
  await withSession(target, signal, async (session) => {
    // An external cluster that no project was created in yet.
    if (!(await hasSharedLayout(session))) return;
    await ensureLayout(session, tempFileBytes);
    await session.run(`SET lock_timeout = '200ms'`);
    await limitOwners(session, tempFileBytes);
    await shutOwners(session);
  });
}

async function ensureSharedDatabase(session: PostgresSession): Promise<void> {
  const [found] = await session.query('select from pg_catalog.pg_database where datname = $1', [SHARED_DATABASE]);
  if (found !== undefined) return;
  // A tenant that could connect to these could store data in databases that are not backed up.
  await session.run('REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC');
  await session.run(`CREATE DATABASE ${SHARED_DATABASE} TEMPLATE template0 ENCODING 'UTF8'`);
}

async function requireSuperuser(session: PostgresSession, target: PostgresTarget): Promise<void> {
  const [role] = await session.query<{ rolsuper: boolean }>('select rolsuper from pg_catalog.pg_roles where rolname = current_user');
  if (role?.rolsuper) return;
  throw new FluxError('config_invalid', `${target.user} is not a superuser of the shared cluster at ${target.host}:${target.port}.`, {
    hint: 'Set FLUX_SHARED_POSTGRES_URL to the URI of a superuser: tenants are isolated by roles and privileges that only a superuser can set.',
  });
}

/** Other databases of an external cluster belong to its operator, but tenants can connect to the open ones. */
async function warnOfOpenDatabases(session: PostgresSession, log: Log): Promise<void> {
  const open = await session.query<{ datname: string }>(
    `select datname from pg_catalog.pg_database
     where datallowconn and datname <> current_database() and pg_catalog.has_database_privilege('anon', oid, 'CONNECT')`,
  );
  if (open.length === 0) return;
  const databases = open.map(({ datname }) => datname);
  log.warn({ databases }, 'every tenant may connect to these databases of the shared cluster; REVOKE CONNECT ON DATABASE ... FROM PUBLIC');
}

async function withSession(
  target: PostgresTarget,
  signal: AbortSignal | undefined,
  work: (session: PostgresSession) => Promise<void>,
): Promise<void> {
  await using session = await connectPostgres(target, { signal });
  await work(session);
}
