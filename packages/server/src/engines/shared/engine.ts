import { FluxError } from '@flux/contract/errors';
import { readChangeMarks } from '../../postgres/change-marks.ts';
import type { ConnectOptions, PostgresSession } from '../../postgres/connect.ts';
import { withLockReport } from '../../postgres/lock-watch.ts';
import { NO_PREREQUISITES } from '../../postgres/manifest/prerequisites/data.ts';
import { quoteIdentifier } from '../../postgres/sql/quote.ts';
import type { PostgresTarget } from '../../postgres/target.ts';
import type { ExpiryClock } from '../../system/expiry-clock.ts';
import type { Log } from '../../system/log.ts';
import type { Engine, EngineProject } from '../engine.ts';
import { ensurePassword } from '../login.ts';
import { askVersion, requireRunning } from '../running.ts';
import type { Staging } from '../staging.ts';
import { requireNotLive, type Standings } from '../standing.ts';
import { nothingToUndo } from '../undo.ts';
import type { SharedCluster } from './cluster.ts';
import { dropSchemas } from './drop-schemas.ts';
import { tenantLedger } from './ledger.ts';
import { measureTenant } from './measure.ts';
import { tenantNamesOf } from './names.ts';
import { createOwnerLogin } from './owner-login.ts';
import { createPooledSupport } from './pooled.ts';
import { removeTenant } from './remove.ts';
import { createTenantRoll } from './roll.ts';
import { openEmptySchema, openStagingSchema, type TenantPlace } from './staging.ts';
import { sharedStanding } from './standing.ts';
import { listUndoSchemas, swapSchemas } from './swap.ts';
import { openTenantTables } from './table-staging.ts';
import { grantToBackup, provisionTenant } from './tenant.ts';
import { discardTenant, emptyTenantTrash } from './trash.ts';

export interface SharedEngineParts {
  readonly cluster: SharedCluster;
  readonly standings: Standings;
  /** What replaces or discards data names it by its latest time. */
  readonly clock: Pick<ExpiryClock, 'latest'>;
  readonly log: Log;
}

/**
 * A project in a schema of a pooled cluster. A tenant cannot read, write, lock or call anything of another tenant; what stays visible is
 * listed at `provisionTenant`.
 */
export function createSharedEngine({ cluster, standings, clock, log }: SharedEngineParts): Engine {
  const standing = sharedStanding(cluster, standings);
  const ensureRunning = async (project: EngineProject, signal?: AbortSignal): Promise<{ readonly major: number }> => {
    signal?.throwIfAborted();
    const status = await cluster.status(signal);
    requireRunning(status, project.slug, `flux project start ${project.slug}`);
    return { major: status.major ?? (await askVersion(cluster.admin(), signal)).major };
  };
  const asAdmin = async <T>(work: (session: PostgresSession) => Promise<T>, signal?: AbortSignal): Promise<T> => {
    return await withLockReport(cluster.admin(), work, signal);
  };
  const roll = createTenantRoll(cluster);
  const ownerLogin = createOwnerLogin(() => cluster.admin(), log);
  const target = (user: string, password: string): PostgresTarget => ({ ...cluster.admin(), user, password });
  const openOwner = async (project: EngineProject, options: ConnectOptions = {}) => {
    const { ddl, schema } = tenantNamesOf(project);
    const session = await ownerLogin.open(target(ddl, project.secrets.ownerPassword), options);
    const [found] = await session.query<{ there: boolean }>('select pg_catalog.to_regnamespace($1) is not null as there', [schema]);
    if (found?.there) return session;
    await session.close();
    throw schemaGone(project, schema);
  };
  /** What schemas there are is not known while some are created, renamed or removed, and has to be read again afterwards. */
  const changingSchemas = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } finally {
      roll.forget();
    }
  };
  const provision = async (project: EngineProject, signal?: AbortSignal) => {
    await cluster.open(signal);
    await changingSchemas(() =>
      asAdmin((session) => provisionTenant(session, tenantNamesOf(project), project.secrets, cluster.tempFileBytes), signal),
    );
  };
  const forgetting = (staging: Staging): Staging => ({
    ...staging,
    swapIn: (previous, signal) => changingSchemas(() => staging.swapIn(previous, signal)),
  });
  const openPlace = async (project: EngineProject, signal?: AbortSignal): Promise<TenantPlace> => {
    const { major } = await ensureRunning(project, signal);
    const names = tenantNamesOf(project);
    const owner = target(names.ddl, project.secrets.ownerPassword);
    const backup = target(names.backup, project.secrets.backupPassword);
    await ensurePassword(backup, cluster.admin(), log, signal);
    return { names, major, admin: cluster.admin(), owner, ownerLogin, backup, clock };
  };
  const listUndo = async (project: EngineProject, signal?: AbortSignal) => {
    await ensureRunning(project, signal);
    const { schemas, status } = await roll.read();
    requireRunning(status, project.slug, `flux project start ${project.slug}`);
    const prefix = tenantNamesOf(project).schema.replace(/api$/, 'before_');
    if (schemas !== undefined && ![...schemas].some((name) => name.startsWith(prefix))) return [];
    return await asAdmin((session) => listUndoSchemas(session, tenantNamesOf(project)), signal);
  };

  return {
    name: 'shared',
    kind: 'v2_shared',
    apiSchema: (project) => tenantNamesOf(project).schema,
    roleNames(project) {
      const { ddl, role, login, backup } = tenantNamesOf(project);
      return [ddl, role, login, backup];
    },
    provision: (project, signal) => provision(project, signal),
    async remove(project, { to, signal } = {}) {
      // Without a cluster there never was a tenant.
      if ((await cluster.status(signal)).state === 'missing') return;
      await ensureRunning(project, signal);
      // An incomplete cluster has no ledger to remove rows from.
      await cluster.open(signal);
      requireNotLive(await standing.read(project, signal), project.slug, `The schema ${tenantNamesOf(project).schema}`);
      const admin = cluster.admin();
      const names = tenantNamesOf(project);
      const remove = (session: PostgresSession) =>
        to === 'trash' ? discardTenant(admin, session, names, clock.latest(), signal) : removeTenant(admin, session, names, signal);
      await changingSchemas(() => asAdmin(remove, signal));
    },
    async emptyTrash(olderThanMs, now, onProblem) {
      if ((await cluster.status()).state !== 'running') return [];
      return await asAdmin((session) => emptyTenantTrash(cluster.admin(), session, olderThanMs, now, onProblem));
    },
    standing,
    async status(project) {
      const { status, schemas, postgresVersion } = await roll.read();
      const { schema } = tenantNamesOf(project);
      if (schemas === undefined || schemas.has(schema)) return { ...status, postgresVersion };
      return { ...status, state: 'missing', problem: `The schema ${schema} does not exist.`, postgresVersion };
    },
    async credentials(project, signal) {
      await ensureRunning(project, signal);
      const login = target(tenantNamesOf(project).login, project.secrets.loginPassword);
      await ensurePassword(login, cluster.admin(), log, signal);
      return { user: login.user, password: project.secrets.loginPassword, database: login.database, ...(await cluster.address()) };
    },
    async backupSource(project, signal) {
      const { major } = await ensureRunning(project, signal);
      const names = tenantNamesOf(project);
      await asAdmin(async (session) => {
        const [found] = await session.query('select from pg_catalog.pg_namespace where nspname = $1', [names.schema]);
        if (found === undefined) throw schemaGone(project, names.schema);
        await grantToBackup(session, names);
      }, signal);
      const backup = target(names.backup, project.secrets.backupPassword);
      await ensurePassword(backup, cluster.admin(), log, signal);
      return {
        kind: 'tenant_export',
        target: backup,
        observer: cluster.admin(),
        major,
        schema: names.schema,
        internalRoles: [names.backup],
      };
    },
    async readChangeMarks(project, signal) {
      await ensureRunning(project, signal);
      return await asAdmin((session) => readChangeMarks(session, tenantNamesOf(project).schema), signal);
    },
    async measureBytes(project, signal) {
      await ensureRunning(project, signal);
      return await asAdmin((session) => measureTenant(session, tenantNamesOf(project)), signal);
    },
    async ownerAccess(project, signal) {
      await ensureRunning(project, signal);
      roll.forget();
      const searchPath = quoteIdentifier(tenantNamesOf(project).schema);
      return { open: (options) => openOwner(project, options), ledger: tenantLedger, observer: cluster.admin(), searchPath };
    },
    async administrator(project, signal) {
      await ensureRunning(project, signal);
      return cluster.admin();
    },
    staging: {
      open: async (project, spec, signal) => forgetting(await openStagingSchema(await openPlace(project, signal), spec, signal)),
      openEmpty: async (project, signal) => forgetting(await openEmptySchema(await openPlace(project, signal), signal)),
      openTables: async (project, signal) => openTenantTables(await openPlace(project, signal), log, signal),
    },
    undo: {
      list: listUndo,
      async swapBack(project, signal) {
        const [newest] = await listUndo(project, signal);
        if (newest === undefined) throw nothingToUndo(project.slug);
        const swap = { next: newest.name, previous: 'keep', defaults: NO_PREREQUISITES, at: clock.latest() } as const;
        return await changingSchemas(() => swapSchemas(cluster.admin(), tenantNamesOf(project), swap, signal));
      },
      async drop(project, names, signal) {
        const ours = (await listUndo(project, signal)).map(({ name }) => name).filter((name) => names.includes(name));
        await changingSchemas(() => asAdmin((session) => dropSchemas(cluster.admin(), session, ours), signal));
      },
    },
    pooled: createPooledSupport(cluster, provision, log),
  };
}

function schemaGone(project: EngineProject, schema: string): FluxError {
  return new FluxError('not_ready', `The schema ${schema} of ${project.slug} does not exist.`, {
    hint: `Create an empty one with \`flux project start ${project.slug}\`, or restore the data with \`flux backup restore\`.`,
  });
}
