import { FluxError, isFluxError } from '@flux/contract/errors';
import { readChangeMarks } from '../../postgres/change-marks.ts';
import { connectPostgres } from '../../postgres/connect.ts';
import { askForeign, chooseForeignHost, type ForeignRules } from '../../postgres/foreign.ts';
import type { Strictness } from '../../postgres/manifest/selection/match.ts';
import type { PostgresTarget, PostgresToolbox } from '../../postgres/target.ts';
import type { Engine, EngineProject } from '../engine.ts';
import { ownLedger } from '../ledger.ts';
import { askVersion } from '../running.ts';
import { shortIdOf } from '../short-id.ts';
import { parsePostgresUri } from '../uri.ts';
import { createVersionAnswers } from '../version-answers.ts';
import { examineSource, findingsOf, requireReadable } from './examine.ts';
import { readIdentity } from './identity.ts';
import { PlacesOfServers } from './places.ts';

/** The database does not exist. Source: the manual, appendix A, `invalid_catalog_name`. */
const NO_SUCH_DATABASE = '3D000';

/**
 * A database of the user's own that Flux backs up and pushes to, but does not run. Only the ledger is created in it, and only when a
 * migration is pushed; nothing is ever removed from it, so it has no capability besides the core.
 *
 * @param toolbox must have the pg_dump of the server's major version
 */
export function createAttachedEngine({ toolbox, foreign }: { readonly toolbox: PostgresToolbox; readonly foreign: ForeignRules }): Engine {
  const versions = createVersionAnswers();
  const places = new PlacesOfServers();
  const hostOf = async (project: EngineProject, signal: AbortSignal | undefined) => {
    signal?.throwIfAborted();
    return await chooseForeignHost(parseUriOf(project), foreign, {
      signal,
      by: project.ownerId,
      placesOf: (host) => places.of(project.ownerId, host),
    });
  };
  const ask = async <T>(
    project: EngineProject,
    signal: AbortSignal | undefined,
    work: (target: PostgresTarget) => Promise<T>,
  ): Promise<T> => {
    const target = await hostOf(project, signal);
    return await askForeign(target, () => work(target));
  };
  const examine = (project: EngineProject, strict: Strictness, signal: AbortSignal | undefined) =>
    ask(project, signal, (target) => examineSource(toolbox, target, project.scope, strict, signal));
  return {
    name: 'attached',
    kind: 'v1_dedicated',
    apiSchema: () => 'public',
    roleNames: () => [],
    async provision(project, signal) {
      requireReadable(await examine(project, 'every pattern', signal));
    },
    attachment: {
      look: async (project, signal) => findingsOf(await examine(project, 'chosen schemas', signal)),
      identify: async (project, signal) => ask(project, signal, (target) => readIdentity(target, signal)),
    },
    remove: async () => undefined,
    async status(project) {
      const target = parseUriOf(project);
      const known = { id: `a-${shortIdOf(project)}`, port: target.port, restarts: 0, lastRestartAt: null };
      try {
        const { version, major } = await versions.read(`${project.ownerId} ${project.secrets.attachedUri}`, (until) =>
          ask(project, until, (host) => askVersion(host, until)),
        );
        return { ...known, state: 'running', major, problem: null, postgresVersion: version };
      } catch (error) {
        // Whatever such a server does, it must not spoil a list of all projects.
        if (!isFluxError(error)) throw error;
        const said = isFluxError(error.cause) ? error.cause : error;
        const state = said.details.sqlState === NO_SUCH_DATABASE ? 'missing' : 'failing';
        return { ...known, state, major: null, problem: error.message, postgresVersion: null };
      }
    },
    async credentials(project) {
      // Without a password in its URI the server asks for none; the answer has the field all the same.
      const { user, password = '', host, port, database } = parseUriOf(project);
      return { user, password, host, port, database };
    },
    async backupSource(project, signal) {
      const target = await hostOf(project, signal);
      const { major } = await askForeign(target, () => askVersion(target, signal));
      toolbox.require(major, 'client');
      return {
        kind: 'project_db',
        target,
        observer: target,
        major,
        internalRoles: [],
        ...(project.scope === undefined ? {} : { scope: project.scope }),
      };
    },
    async readChangeMarks(project, signal) {
      await using session = await connectPostgres(await hostOf(project, signal), { signal, withinMs: foreign.lookWithinMs });
      return await readChangeMarks(session, null);
    },
    async ownerAccess(project, signal) {
      const target = await hostOf(project, signal);
      return { open: (options) => askForeign(target, () => connectPostgres(target, options)), ledger: ownLedger, observer: target };
    },
    async administrator({ slug }) {
      throw new FluxError('invalid_request', `${slug} is a database of your own: Flux does not administer its server.`, {
        hint: 'Its administrator lists extensions with SELECT * FROM pg_available_extensions, and creates them with CREATE EXTENSION.',
      });
    },
  };
}

function parseUriOf({ slug, secrets }: EngineProject): PostgresTarget {
  if (secrets.attachedUri === undefined) throw new Error(`the attached project ${slug} has no URI among its secrets`);
  return parsePostgresUri(secrets.attachedUri);
}
