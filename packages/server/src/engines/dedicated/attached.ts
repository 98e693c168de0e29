import { FluxError, isFluxError } from '@flux/contract/errors';
import { readChangeMarks } from '../../postgres/change-marks.ts';
import { connectPostgres } from '../../postgres/connect.ts';
import type { PostgresTarget } from '../../postgres/target.ts';
import type { Engine, EngineProject } from '../engine.ts';
import { ownLedger } from '../ledger.ts';
import { applyScript } from '../push.ts';
import { askVersion } from '../running.ts';
import { parsePostgresUri } from '../uri.ts';
import type { DedicatedEngineParts } from './engine.ts';
import { instanceIdOf } from './names.ts';

/** The database does not exist. Source: the manual, appendix A, `invalid_catalog_name`. */
const NO_SUCH_DATABASE = '3D000';

/**
 * A database of the user's that Flux does not run. Nothing is made in it but the ledger, and that only when a migration is
 * pushed; nothing is ever removed from it.
 */
export function createAttachedEngine({ toolbox }: Pick<DedicatedEngineParts, 'toolbox'>): Engine {
  const target = (project: EngineProject): PostgresTarget => parsePostgresUri(project.secrets.attachedUri ?? '');
  const notOurs = (project: EngineProject, verb: string) =>
    new FluxError('invalid_request', `${project.slug} is attached: Flux does not run its server and cannot ${verb} it.`, {
      hint: `Use the tools of wherever it runs to ${verb} it; \`flux list\` shows whether it answers.`,
    });

  return {
    kind: 'v1_dedicated',
    apiSchema: () => 'public',
    async provision(project) {
      const { major } = await askVersion(target(project));
      toolbox.require(major, 'both');
    },
    remove: async () => undefined,
    async start(project) {
      throw notOurs(project, 'start');
    },
    async stop(project) {
      throw notOurs(project, 'stop');
    },
    async status(project) {
      const { port } = target(project);
      const known = { id: instanceIdOf(project), port, restarts: 0, lastRestartAt: null };
      try {
        const { version, major } = await askVersion(target(project));
        return { ...known, state: 'running', major, problem: null, postgresVersion: version };
      } catch (error) {
        if (!isFluxError(error, 'instance_unavailable')) throw error;
        const state = error.details.sqlState === NO_SUCH_DATABASE ? 'missing' : 'failing';
        return { ...known, state, major: 0, problem: error.message, postgresVersion: null };
      }
    },
    async credentials(project) {
      const { user, password = '', host, port, database } = target(project);
      return { user, password, host, port, database };
    },
    push: (project, request) => applyScript({ open: (options) => connectPostgres(target(project), options), ledger: ownLedger }, request),
    async listMigrations(project) {
      await using session = await connectPostgres(target(project));
      return await ownLedger.list(session);
    },
    async backupSource(project) {
      const { major } = await askVersion(target(project));
      toolbox.require(major, 'client');
      return { kind: 'project_db', target: target(project), major, internalRoles: [] };
    },
    async readChangeMarks(project, signal) {
      await using session = await connectPostgres(target(project), { signal });
      return await readChangeMarks(session, null);
    },
    roleNames: () => [],
    async openSide(project) {
      throw notOurs(project, 'restore in place on');
    },
    async openEmptySide(project) {
      throw notOurs(project, 'reset');
    },
    async openShelf(project) {
      throw notOurs(project, 'restore tables into');
    },
    listKept: async () => [],
    async undoSwap(project) {
      throw notOurs(project, 'restore in place on');
    },
    dropKept: async () => undefined,
  };
}
