import { isFluxError } from '@flux/contract/errors';
import { readChangeMarks } from '../../postgres/change-marks.ts';
import { connectPostgres } from '../../postgres/connect.ts';
import { quoteIdentifier } from '../../postgres/sql/quote.ts';
import type { PostgresTarget } from '../../postgres/target.ts';
import type { Engine, EngineProject } from '../engine.ts';
import { ownLedger } from '../ledger.ts';
import { connectAsRole, keepPassword } from '../login.ts';
import { applyScript } from '../push.ts';
import { nothingKept } from '../restore-side.ts';
import { askVersion, requireRunning } from '../running.ts';
import type { DedicatedEngineParts } from './engine.ts';
import { databaseNameOf, instanceIdOf, ownerNameOf } from './names.ts';
import { provisionCluster, provisionDatabase } from './provision.ts';
import { openDedicatedShelf } from './shelf.ts';
import { openEmptyDatabase, openSideDatabase } from './side.ts';
import { listKeptDatabases, swapDatabases } from './swap.ts';

/** A project in an instance of its own that Flux runs. */
export function createManagedEngine({ runtime, toolbox, defaultMajor, publicHost, log }: DedicatedEngineParts): Engine {
  const admin = (project: EngineProject) => runtime.superuser(instanceIdOf(project), databaseNameOf(project));
  const owner = (project: EngineProject): PostgresTarget => ({
    ...admin(project),
    user: ownerNameOf(project),
    password: project.secrets.loginPassword,
  });
  const startCommand = (project: EngineProject) => `flux project start ${project.slug}`;
  const ensureRunning = async (project: EngineProject) => {
    const status = await runtime.status(instanceIdOf(project));
    requireRunning(status, project.slug, startCommand(project));
    return status;
  };
  const kept = async (project: EngineProject) => {
    await using session = await connectPostgres(runtime.superuser(instanceIdOf(project)));
    return await listKeptDatabases(session, databaseNameOf(project));
  };

  return {
    kind: 'v1_dedicated',
    apiSchema: () => 'public',
    async provision(project, signal, major) {
      const id = instanceIdOf(project);
      const wanted = major !== undefined && toolbox.majors().includes(major) ? major : defaultMajor();
      await runtime.create({ id, major: wanted, network: 'loopback' }, signal);
      await provisionCluster(runtime.superuser(id), project, signal);
      await provisionDatabase(admin(project), owner(project), log, signal);
    },
    remove: (project) => runtime.remove(instanceIdOf(project)),
    start: (project) => runtime.start(instanceIdOf(project)),
    stop: (project) => runtime.stop(instanceIdOf(project)),
    async status(project) {
      const status = await runtime.status(instanceIdOf(project));
      if (status.state !== 'running') return { ...status, postgresVersion: null };
      try {
        return { ...status, postgresVersion: (await askVersion(admin(project))).version };
      } catch (error) {
        if (!isFluxError(error)) throw error;
        return { ...status, state: 'failing', problem: error.message, postgresVersion: null };
      }
    },
    async credentials(project) {
      const status = await runtime.status(instanceIdOf(project));
      // What is printed must work: a password that the owner has changed becomes the known one again.
      if (status.state === 'running') await keepPassword(owner(project), admin(project), log);
      else if (status.port === null) requireRunning(status, project.slug, startCommand(project));
      const { user, database } = owner(project);
      return { user, password: project.secrets.loginPassword, host: publicHost, port: status.port ?? 0, database };
    },
    async push(project, request) {
      await ensureRunning(project);
      const open = (options: object) => connectAsRole(owner(project), admin(project), log, options);
      return applyScript({ open, ledger: ownLedger }, request);
    },
    async listMigrations(project) {
      await ensureRunning(project);
      await using session = await connectAsRole(owner(project), admin(project), log);
      return await ownLedger.list(session);
    },
    async backupSource(project) {
      const { major } = await ensureRunning(project);
      const target = admin(project);
      return { kind: 'project_db', target, major, internalRoles: [target.user] };
    },
    async readChangeMarks(project, signal) {
      await ensureRunning(project);
      await using session = await connectPostgres(admin(project), { signal });
      return await readChangeMarks(session, null);
    },
    roleNames: (project) => [ownerNameOf(project)],
    async openSide(project, spec, signal) {
      const { major } = await ensureRunning(project);
      await keepPassword(owner(project), admin(project), log);
      const adminOf = (database: string) => runtime.superuser(instanceIdOf(project), database);
      return await openSideDatabase({ project, major, admin: adminOf, log }, spec, signal);
    },
    async openEmptySide(project, signal) {
      const { major } = await ensureRunning(project);
      await keepPassword(owner(project), admin(project), log);
      const adminOf = (database: string) => runtime.superuser(instanceIdOf(project), database);
      return await openEmptyDatabase({ project, major, admin: adminOf, log }, signal);
    },
    async openShelf(project, signal) {
      const { major } = await ensureRunning(project);
      await keepPassword(owner(project), admin(project), log);
      return await openDedicatedShelf({ major, admin: admin(project), owner: owner(project) }, signal);
    },
    async listKept(project) {
      await ensureRunning(project);
      return await kept(project);
    },
    async undoSwap(project) {
      await ensureRunning(project);
      const newest = (await kept(project)).find(({ isWhole }) => isWhole);
      if (newest === undefined) throw nothingKept(project.slug);
      const live = databaseNameOf(project);
      return await swapDatabases(runtime.superuser(instanceIdOf(project)), { live, next: newest.name, previous: 'keep' });
    },
    async dropKept(project, names) {
      await using session = await connectPostgres(runtime.superuser(instanceIdOf(project)));
      for (const name of names) await session.run(`DROP DATABASE IF EXISTS ${quoteIdentifier(name)} WITH (FORCE)`);
    },
  };
}
