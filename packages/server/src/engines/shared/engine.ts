import { FluxError, isFluxError } from '@flux/contract/errors';
import { readChangeMarks } from '../../postgres/change-marks.ts';
import { type ConnectOptions, connectPostgres, type PostgresSession } from '../../postgres/connect.ts';
import { quoteIdentifier } from '../../postgres/sql/quote.ts';
import type { PostgresTarget } from '../../postgres/target.ts';
import type { Log } from '../../system/log.ts';
import type { Engine, EngineProject } from '../engine.ts';
import { connectAsRole, keepPassword } from '../login.ts';
import { applyScript } from '../push.ts';
import { nothingKept } from '../restore-side.ts';
import { requireRunning, versionOf } from '../running.ts';
import type { SharedCluster } from './cluster.ts';
import { tenantLedger } from './ledger.ts';
import { tenantNamesOf } from './names.ts';
import { removeTenant } from './remove.ts';
import { openTenantShelf } from './shelf.ts';
import { openEmptySchema, openSideSchema, type TenantPlace } from './side.ts';
import { dropKeptSchemas, listKeptSchemas, swapSchemas } from './swap.ts';
import { grantToBackup, provisionTenant } from './tenant.ts';

/**
 * A project in a schema of a pooled cluster. One tenant can read, write, lock or call nothing of another's; what stays
 * visible is listed at `provisionTenant`.
 */
export function createSharedEngine({ cluster, log }: { readonly cluster: SharedCluster; readonly log: Log }): Engine {
  const ensureRunning = async (project: EngineProject) => {
    const status = await cluster.status();
    requireRunning(status, project.slug, `flux project start ${project.slug}`);
    return status;
  };
  const asAdmin = async <T>(work: (session: PostgresSession) => Promise<T>, signal?: AbortSignal): Promise<T> => {
    await using session = await connectPostgres(cluster.admin(), { signal });
    return await work(session);
  };
  const target = (user: string, password: string): PostgresTarget => ({ ...cluster.admin(), user, password });
  const openOwner = async (project: EngineProject, options: ConnectOptions = {}) => {
    const { ddl, schema } = tenantNamesOf(project);
    const session = await connectAsRole(target(ddl, project.secrets.ownerPassword), cluster.admin(), log, options);
    const [found] = await session.query<{ there: boolean }>('select pg_catalog.to_regnamespace($1) is not null as there', [schema]);
    if (found?.there) return session;
    await session.close();
    throw schemaGone(project, schema);
  };
  const provision = async (project: EngineProject, signal?: AbortSignal) => {
    await cluster.open(signal);
    await asAdmin((session) => provisionTenant(session, tenantNamesOf(project), project.secrets), signal);
  };

  const place = async (project: EngineProject): Promise<TenantPlace> => {
    const { major } = await ensureRunning(project);
    const names = tenantNamesOf(project);
    const owner = target(names.ddl, project.secrets.ownerPassword);
    const backup = target(names.backup, project.secrets.backupPassword);
    for (const role of [owner, backup]) await keepPassword(role, cluster.admin(), log);
    return { names, major, admin: cluster.admin(), owner, backup };
  };

  return {
    kind: 'v2_shared',
    apiSchema: (project) => tenantNamesOf(project).schema,
    provision: (project, signal) => provision(project, signal),
    async remove(project) {
      // Without a cluster there never was a tenant.
      if ((await cluster.status()).state === 'missing') return;
      await ensureRunning(project);
      // A cluster that was left half-prepared has no ledger to remove lines from.
      await cluster.open();
      await asAdmin((session) => removeTenant(session, tenantNamesOf(project)));
    },
    start: (project) => provision(project),
    async stop(project) {
      throw new FluxError('invalid_request', `${project.slug} lives in a pooled cluster, which runs for all of its projects.`, {
        hint: `Give it a server of its own with \`flux migrate -p ${project.slug} --hash ${project.hash} --to v1_dedicated --dry-run\`.`,
      });
    },
    async status(project) {
      const status = await cluster.status();
      if (status.state !== 'running') return { ...status, postgresVersion: null };
      const { schema } = tenantNamesOf(project);
      try {
        return await asAdmin(async (session) => {
          const { version } = await versionOf(session);
          const [found] = await session.query('select from pg_catalog.pg_namespace where nspname = $1', [schema]);
          if (found !== undefined) return { ...status, postgresVersion: version };
          return { ...status, state: 'missing', problem: `The schema ${schema} is not there.`, postgresVersion: version };
        });
      } catch (error) {
        if (!isFluxError(error)) throw error;
        return { ...status, state: 'failing', problem: error.message, postgresVersion: null };
      }
    },
    async credentials(project) {
      await ensureRunning(project);
      const login = target(tenantNamesOf(project).login, project.secrets.loginPassword);
      await keepPassword(login, cluster.admin(), log);
      return { user: login.user, password: project.secrets.loginPassword, database: login.database, ...(await cluster.address()) };
    },
    async push(project, request) {
      await ensureRunning(project);
      const searchPath = quoteIdentifier(tenantNamesOf(project).schema);
      return applyScript({ open: (options) => openOwner(project, options), ledger: tenantLedger, searchPath }, request);
    },
    async listMigrations(project) {
      await ensureRunning(project);
      await using session = await openOwner(project);
      return await tenantLedger.list(session);
    },
    async backupSource(project) {
      const { major } = await ensureRunning(project);
      const names = tenantNamesOf(project);
      await asAdmin(async (session) => {
        const [found] = await session.query('select from pg_catalog.pg_namespace where nspname = $1', [names.schema]);
        if (found === undefined) throw schemaGone(project, names.schema);
        await grantToBackup(session, names);
      });
      const backup = target(names.backup, project.secrets.backupPassword);
      await keepPassword(backup, cluster.admin(), log);
      return { kind: 'tenant_export', target: backup, major, schema: names.schema, internalRoles: [names.backup] };
    },
    async readChangeMarks(project, signal) {
      await ensureRunning(project);
      return await asAdmin((session) => readChangeMarks(session, tenantNamesOf(project).schema), signal);
    },
    roleNames(project) {
      const { ddl, role, login, backup } = tenantNamesOf(project);
      return [ddl, role, login, backup];
    },
    openSide: async (project, spec, signal) => openSideSchema(await place(project), spec, signal),
    openEmptySide: async (project, signal) => openEmptySchema(await place(project), signal),
    openShelf: async (project, signal) => openTenantShelf(await place(project), signal),
    async listKept(project) {
      await ensureRunning(project);
      return await asAdmin((session) => listKeptSchemas(session, tenantNamesOf(project)));
    },
    async undoSwap(project) {
      await ensureRunning(project);
      const names = tenantNamesOf(project);
      const [newest] = await asAdmin((session) => listKeptSchemas(session, names));
      if (newest === undefined) throw nothingKept(project.slug);
      return await swapSchemas(cluster.admin(), names, newest.name, 'keep');
    },
    dropKept: (project, kept) =>
      asAdmin(async (session) => {
        const ours = (await listKeptSchemas(session, tenantNamesOf(project))).map(({ name }) => name);
        await dropKeptSchemas(
          session,
          ours.filter((name) => kept.includes(name)),
        );
      }),
  };
}

function schemaGone(project: EngineProject, schema: string): FluxError {
  return new FluxError('not_ready', `The schema ${schema} of ${project.slug} is not there.`, {
    hint: `Make an empty one with \`flux project start ${project.slug}\`, or bring the data back with \`flux backup restore\`.`,
  });
}
