import { isFluxError } from '@flux/contract/errors';
import * as z from 'zod';
import { listInterruptedMigrations, lockProject, type ProjectRow, setMigrationState } from '../../catalog/projects.ts';
import type { MigrationState } from '../../catalog/tables.ts';
import { requireCapability } from '../../engines/capabilities.ts';
import type { EngineDirectory } from '../../engines/directory.ts';
import type { RemoveOptions } from '../../engines/engine.ts';
import { requireNotLive } from '../../engines/standing.ts';
import { defineOperation } from '../../operations/define.ts';
import { SYSTEM } from '../../operations/request.ts';
import { type RunDeps, runInline } from '../../operations/run.ts';
import { declareStanding, type StandingDeps } from '../standing.ts';
import { dedicatedOf } from './copy.ts';

/** What bringing a project back to one engine uses. */
export type CleanUpDeps = StandingDeps;

/** Removes the dedicated copy of a project that waits for inspection. */
export async function discardStaged(deps: CleanUpDeps, id: ProjectRow['id']): Promise<void> {
  const row = await findPooledIn(deps, id, 'staged');
  if (row === undefined) return;
  await dedicatedOf(deps.engines, row).remove();
  await setMigrationState(deps.catalog.db, id, null);
}

/**
 * Makes a project whose move did not end writable again, and removes its copy; of one that has moved it only writes where it is live. It can
 * be run again: the state stays `copying` until all of it is done.
 */
export async function rollBackMove(deps: CleanUpDeps, id: ProjectRow['id'], options: RemoveOptions = {}): Promise<void> {
  const row = await findPooledIn(deps, id, 'copying');
  if (row === undefined) return await declareStanding(deps, id);
  const { engine, project } = deps.engines.of(row);
  const dedicated = dedicatedOf(deps.engines, row);
  // Before the pool is opened to writers again.
  if (dedicated.engine.standing !== undefined) requireNotLive(await dedicated.engine.standing.read(project), row.slug, 'The server');
  await requireCapability(engine, 'pooled', project).repair(project, options.signal);
  await dedicated.remove(options);
  // The pool may say that the project has left it: that is written before the flip.
  await declareStanding(deps, id);
  await setMigrationState(deps.catalog.db, id, null);
}

/** The catalog alone says where a project lives: locking its row waits for a flip whose commit is not known yet. */
async function findPooledIn({ catalog }: CleanUpDeps, id: ProjectRow['id'], state: MigrationState): Promise<ProjectRow | undefined> {
  const row = await catalog.db.transaction().execute((db) => lockProject(db, id));
  return row?.engine === 'v2_shared' && row.migration_state === state ? row : undefined;
}

/** Removes the pooled schema, roles and login of a project that has moved. It can be run again. */
export async function removeSource(
  { catalog, engines }: Pick<CleanUpDeps, 'catalog' | 'engines'>,
  row: ProjectRow,
  signal?: AbortSignal,
): Promise<void> {
  const { engine, project } = engines.of({ ...row, engine: 'v2_shared' });
  await engine.remove(project, { signal });
  await setMigrationState(catalog.db, row.id, null);
}

/** Brings a project whose migration was interrupted back to one engine. */
export const migrateCleanUp = defineOperation({
  kind: 'migrate_clean_up',
  lane: 'short',
  request: z.object({}),
  touches: 'project',
  runsOn: 'project host',
  audit: null,
  afterWorkerLoss: 'end',
  run: async (deps: CleanUpDeps, { project }, { signal }) => {
    if (project.migration_state === 'dropping_source') await removeSource(deps, project, signal);
    else await rollBackMove(deps, project.id, { to: 'trash', signal });
    return {};
  },
});

/**
 * Ends migrations that a crash has interrupted: a project that was not flipped yet becomes writable again and loses its copy; one that
 * was flipped loses the source that was to be dropped. Each is an operation of its own, so that nothing runs at the same time.
 */
export async function endInterruptedMigrations(
  { operations, engines }: { readonly operations: RunDeps; readonly engines: EngineDirectory },
  signal: AbortSignal,
): Promise<void> {
  const { catalog, clock, log } = operations;
  for (const project of await listInterruptedMigrations(catalog.db)) {
    try {
      await runInline(operations, migrateCleanUp, { catalog, engines, clock, log }, { project, requester: SYSTEM, request: {} }, signal);
      log.warn({ project: project.hash, state: project.migration_state }, 'ended a migration that was interrupted');
    } catch (error) {
      // Busy: another server was faster. Anything else is tried again in the next round.
      if (!isFluxError(error, 'busy')) log.error({ err: error, project: project.hash }, 'could not end an interrupted migration');
    }
  }
}
