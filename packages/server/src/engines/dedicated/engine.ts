import type { InstanceRuntime } from '../../instances/instance.ts';
import type { PostgresToolbox } from '../../postgres/target.ts';
import type { Log } from '../../system/log.ts';
import type { Engine, EngineProject } from '../engine.ts';
import { createAttachedEngine } from './attached.ts';
import { createManagedEngine } from './managed.ts';

export interface DedicatedEngineParts {
  readonly runtime: InstanceRuntime;
  /** For attached databases: pg_dump must be of their server's major. */
  readonly toolbox: PostgresToolbox;
  /** The major that a new instance is made with. */
  readonly defaultMajor: () => number;
  /** How users reach the ports of instances. */
  readonly publicHost: string;
  readonly log: Log;
}

/**
 * A project in a database of its own: in an instance that Flux runs, or, when `secrets.attachedUri` is set, in a database of
 * the user's that Flux backs up and pushes to and otherwise leaves alone.
 */
export function createDedicatedEngine(parts: DedicatedEngineParts): Engine {
  const managed = createManagedEngine(parts);
  const attached = createAttachedEngine(parts);
  const engineOf = (project: EngineProject) => (project.secrets.attachedUri === undefined ? managed : attached);
  return {
    kind: 'v1_dedicated',
    apiSchema: (project) => engineOf(project).apiSchema(project),
    provision: (project, signal, major) => engineOf(project).provision(project, signal, major),
    remove: (project) => engineOf(project).remove(project),
    start: (project) => engineOf(project).start(project),
    stop: (project) => engineOf(project).stop(project),
    status: (project) => engineOf(project).status(project),
    credentials: (project) => engineOf(project).credentials(project),
    push: (project, request) => engineOf(project).push(project, request),
    listMigrations: (project) => engineOf(project).listMigrations(project),
    backupSource: (project) => engineOf(project).backupSource(project),
    readChangeMarks: (project, signal) => engineOf(project).readChangeMarks(project, signal),
    roleNames: (project) => engineOf(project).roleNames(project),
    openSide: (project, spec, signal) => engineOf(project).openSide(project, spec, signal),
    openEmptySide: (project, signal) => engineOf(project).openEmptySide(project, signal),
    openShelf: (project, signal) => engineOf(project).openShelf(project, signal),
    listKept: (project) => engineOf(project).listKept(project),
    undoSwap: (project) => engineOf(project).undoSwap(project),
    dropKept: (project, names) => engineOf(project).dropKept(project, names),
  };
}
