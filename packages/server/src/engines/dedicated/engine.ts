import { isFluxError } from '@flux/contract/errors';
import type { InstanceRuntime } from '../../instances/instance.ts';
import { readChangeMarks } from '../../postgres/change-marks.ts';
import { connectPostgres } from '../../postgres/connect.ts';
import { quoteIdentifier } from '../../postgres/sql/quote.ts';
import type { PostgresTarget, PostgresToolbox } from '../../postgres/target.ts';
import type { ExpiryClock } from '../../system/expiry-clock.ts';
import type { Log } from '../../system/log.ts';
import type { Engine, EngineProject } from '../engine.ts';
import { ownLedger } from '../ledger.ts';
import { connectAsRole, ensurePassword } from '../login.ts';
import { askVersion, requirePort, requireRunning } from '../running.ts';
import { requireNotLive, type Standings } from '../standing.ts';
import { nothingToUndo } from '../undo.ts';
import { createVersionAnswers } from '../version-answers.ts';
import { databaseNameOf, instanceIdOf, ownerNameOf } from './names.ts';
import { preloadSettings } from './preload.ts';
import { provisionCluster, provisionDatabase } from './provision.ts';
import { type DedicatedPlace, openEmptyDatabase, openStagingDatabase, stagingNameOf } from './staging.ts';
import { dedicatedStanding } from './standing.ts';
import { listUndoDatabases, swapDatabases } from './swap.ts';
import { openDedicatedTables } from './table-staging.ts';

export interface DedicatedEngineParts {
  readonly runtime: InstanceRuntime;
  readonly standings: Standings;
  readonly toolbox: PostgresToolbox;
  /** The major of new instances. */
  readonly defaultMajor: () => number;
  /** How users reach the ports of instances. */
  readonly publicHost: string;
  /** What replaces or discards data names it by its latest time. */
  readonly clock: Pick<ExpiryClock, 'latest'>;
  readonly log: Log;
}

/** A project in its own instance, which Flux runs. */
export function createDedicatedEngine(parts: DedicatedEngineParts): Engine {
  const { runtime, standings, toolbox, defaultMajor, publicHost, clock, log } = parts;
  const standing = dedicatedStanding(runtime, standings);
  const admin = (project: EngineProject) => runtime.superuser(instanceIdOf(project), databaseNameOf(project));
  const owner = (project: EngineProject): PostgresTarget => ({
    ...admin(project),
    user: ownerNameOf(project),
    password: project.secrets.loginPassword,
  });
  const versions = createVersionAnswers();
  const startCommand = (project: EngineProject) => `flux project start ${project.slug}`;
  const ensureRunning = async (project: EngineProject, signal?: AbortSignal) => {
    signal?.throwIfAborted();
    const status = await runtime.status(instanceIdOf(project));
    requireRunning(status, project.slug, startCommand(project));
    return status;
  };
  const openPlace = async (project: EngineProject, signal?: AbortSignal): Promise<DedicatedPlace> => {
    const { major } = await ensureRunning(project, signal);
    await ensurePassword(owner(project), admin(project), log, signal);
    return { project, major, admin: (database) => runtime.superuser(instanceIdOf(project), database), clock, log };
  };
  const listUndo = async (project: EngineProject, signal?: AbortSignal) => {
    await ensureRunning(project, signal);
    await using session = await connectPostgres(runtime.superuser(instanceIdOf(project)), { signal });
    return await listUndoDatabases(session, databaseNameOf(project));
  };

  return {
    name: 'dedicated',
    kind: 'v1_dedicated',
    apiSchema: () => 'public',
    roleNames: (project) => [ownerNameOf(project)],
    async provision(project, signal, major) {
      const id = instanceIdOf(project);
      const wanted = major !== undefined && toolbox.majors().includes(major) ? major : defaultMajor();
      await runtime.create({ id, major: wanted, network: 'loopback' }, signal);
      await provisionCluster(runtime.superuser(id), project, signal);
      await provisionDatabase(admin(project), owner(project), log, signal);
    },
    async remove(project, { to } = {}) {
      const id = instanceIdOf(project);
      versions.forget(id);
      requireNotLive(await standing.read(project), project.slug, `Postgres instance ${id}`);
      await (to === 'trash' ? runtime.discard(id, clock.latest()) : runtime.remove(id));
    },
    standing,
    async status(project) {
      const status = await runtime.status(instanceIdOf(project));
      if (status.state !== 'running') return { ...status, postgresVersion: null };
      try {
        const { version } = await versions.read(instanceIdOf(project), (until) => askVersion(admin(project), until));
        return { ...status, postgresVersion: version };
      } catch (error) {
        if (!isFluxError(error)) throw error;
        return { ...status, state: 'failing', problem: error.message, postgresVersion: null };
      }
    },
    async credentials(project, signal) {
      const status = await runtime.status(instanceIdOf(project));
      // A printed password must work: one that the owner has changed is set to the known one again.
      if (status.state === 'running') await ensurePassword(owner(project), admin(project), log, signal);
      else if (status.port === null) requireRunning(status, project.slug, startCommand(project));
      const { user, database } = owner(project);
      return { user, password: project.secrets.loginPassword, host: publicHost, port: requirePort(status), database };
    },
    async backupSource(project, signal) {
      const { major } = await ensureRunning(project, signal);
      const target = admin(project);
      return { kind: 'project_db', target, observer: target, major, internalRoles: [target.user] };
    },
    async readChangeMarks(project, signal) {
      await ensureRunning(project, signal);
      await using session = await connectPostgres(admin(project), { signal });
      return await readChangeMarks(session, null);
    },
    async measureBytes(project, signal) {
      await ensureRunning(project, signal);
      await using session = await connectPostgres(admin(project), { signal });
      // The live database, and those that a restore works on or an undo needs.
      const [found] = await session.query<{ bytes: string }>(
        `select sum(pg_database_size(oid))::text as bytes from pg_database where not datistemplate and datname <> 'postgres'`,
      );
      return Number(found?.bytes ?? 0);
    },
    async ownerAccess(project, signal) {
      await ensureRunning(project, signal);
      return {
        open: (options) => connectAsRole(owner(project), admin(project), log, options),
        ledger: ownLedger,
        observer: admin(project),
      };
    },
    async administrator(project, signal) {
      await ensureRunning(project, signal);
      return admin(project);
    },
    power: {
      start: (project, signal) => runtime.start(instanceIdOf(project), signal),
      async preload(project, wish, during, signal) {
        const id = instanceIdOf(project);
        const live = databaseNameOf(project);
        const place =
          during === 'restore'
            ? ({ database: stagingNameOf(project), workers: 'off' } as const)
            : ({ database: live, workers: 'on' } as const);
        const settings = await preloadSettings(runtime.superuser(id), wish, place, signal);
        if (settings !== undefined) await runtime.configure(id, settings, signal);
      },
      stop: (project) => runtime.stop(instanceIdOf(project)),
    },
    staging: {
      open: async (project, spec, signal) => openStagingDatabase(await openPlace(project, signal), spec, signal),
      openEmpty: async (project, signal) => openEmptyDatabase(await openPlace(project, signal), signal),
      async openTables(project, signal) {
        const { major } = await openPlace(project, signal);
        return await openDedicatedTables({ major, admin: admin(project), owner: owner(project) }, log, signal);
      },
    },
    undo: {
      list: listUndo,
      async swapBack(project, signal) {
        const newest = (await listUndo(project, signal)).find(({ isWhole }) => isWhole);
        if (newest === undefined) throw nothingToUndo(project.slug);
        const live = databaseNameOf(project);
        const swap = { live, next: newest.name, previous: 'keep', at: clock.latest() } as const;
        return await swapDatabases(runtime.superuser(instanceIdOf(project)), swap, signal);
      },
      async drop(project, names, signal) {
        const ours = (await listUndo(project, signal)).filter(({ name }) => names.includes(name));
        await using session = await connectPostgres(runtime.superuser(instanceIdOf(project)), { signal });
        for (const { name } of ours) await session.run(`DROP DATABASE IF EXISTS ${quoteIdentifier(name)} WITH (FORCE)`);
      },
    },
  };
}
