import { isFluxError } from '@flux/contract/errors';
import * as z from 'zod';
import { listHalfMigrated, lockProject, type ProjectRow, setMigrationState } from '../../catalog/projects.ts';
import type { MigrationState } from '../../catalog/tables.ts';
import { requireCapability } from '../../engines/capabilities.ts';
import { defineOperation } from '../../operations/define.ts';
import { SYSTEM } from '../../operations/request.ts';
import { runInline } from '../../operations/run.ts';
import type { ProjectDoors } from '../doors.ts';
import { dedicatedOf } from './copy.ts';

/** Removes the dedicated copy of a project that waits for inspection. */
export async function discardStaged(doors: ProjectDoors, id: ProjectRow['id']): Promise<void> {
  const row = await pooledIn(doors, id, 'staged');
  if (row === undefined) return;
  await dedicatedOf(doors, row).remove();
  await setMigrationState(doors.catalog.db, id, null);
}

/**
 * Makes a project whose move did not come to its end writable again, and removes its copy; nothing happens to one that has
 * moved. May be run again: the state stays `copying` until both are done.
 */
export async function takeBack(doors: ProjectDoors, id: ProjectRow['id']): Promise<void> {
  const row = await pooledIn(doors, id, 'copying');
  if (row === undefined) return;
  const { engine, project } = doors.engines.of(row);
  await requireCapability(engine, 'pooled', project).repair(project);
  await dedicatedOf(doors, row).remove();
  await setMigrationState(doors.catalog.db, id, null);
}

/** The catalog alone says where a project lives: a flip whose commit nobody has seen is waited for, and then it has moved. */
async function pooledIn(doors: ProjectDoors, id: ProjectRow['id'], state: MigrationState): Promise<ProjectRow | undefined> {
  const row = await doors.catalog.db.transaction().execute((db) => lockProject(db, id));
  return row?.engine === 'v2_shared' && row.migration_state === state ? row : undefined;
}

/** Removes the pooled schema, roles and login that a project has left. May be run again. */
export async function removeSource(doors: ProjectDoors, row: ProjectRow): Promise<void> {
  const { engine, project } = doors.engines.of({ ...row, engine: 'v2_shared' });
  await engine.remove(project);
  await setMigrationState(doors.catalog.db, row.id, null);
}

/** Brings a project whose migration was interrupted back to one engine. */
export const migrateCleanUp = defineOperation({
  kind: 'migrate_clean_up',
  request: z.object({}),
  touches: 'project',
  runsOn: 'project host',
  audit: null,
  afterWorkerLoss: 'end',
  run: async (doors: ProjectDoors, { project }) => {
    if (project.migration_state === 'dropping_source') await removeSource(doors, project);
    else await takeBack(doors, project.id);
    return {};
  },
});

/**
 * Ends what a crash has left of migrations: a project that was not flipped yet is writable again and has no copy; one that was
 * flipped loses the source that was to be dropped. Each under an operation of its own, so that nothing runs beside it.
 */
export async function endInterruptedMigrations(doors: ProjectDoors, signal: AbortSignal): Promise<void> {
  const { catalog, log } = doors;
  for (const project of await listHalfMigrated(catalog.db)) {
    try {
      await runInline(doors.operations, migrateCleanUp, doors, { project, requester: SYSTEM, request: {} }, signal);
      log.warn({ project: project.hash, state: project.migration_state }, 'ended a migration that was interrupted');
    } catch (error) {
      // Busy: somebody was faster. Anything else is tried again in the next round.
      if (!isFluxError(error, 'busy')) log.error({ err: error, project: project.hash }, 'could not end an interrupted migration');
    }
  }
}
