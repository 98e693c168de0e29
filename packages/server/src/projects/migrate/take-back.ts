import { isFluxError, toProblem } from '@flux/contract/errors';
import { finishOperation } from '../../catalog/operations.ts';
import { listHalfMigrated, lockProject, type ProjectRow, setMigrationState } from '../../catalog/projects.ts';
import type { MigrationState } from '../../catalog/tables.ts';
import { beginHere } from '../../operations/begin.ts';
import { describeFailure } from '../../operations/run.ts';
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
  await engine.start(project);
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

/**
 * Ends what a crash has left of migrations: a project that was not flipped yet is writable again and has no copy; one that was
 * flipped loses the source that was to be dropped. Each under an operation of its own, so that nothing runs beside it.
 */
export async function endInterruptedMigrations(doors: ProjectDoors): Promise<void> {
  const { catalog, clock, log } = doors;
  for (const row of await listHalfMigrated(catalog.db)) {
    const actor = { userId: null, tokenId: null };
    const request = { order: { how: 'take_back' } };
    try {
      await doors.lease.during(async ({ workerId }) => {
        const operation = { projectId: row.id, kind: 'migrate', backupId: null, actor, request } as const;
        const id = await catalog.db.transaction().execute((db) => beginHere(db, clock, operation, workerId));
        try {
          log.warn({ project: row.hash, state: row.migration_state }, 'ending a migration that was interrupted');
          if (row.migration_state === 'dropping_source') await removeSource(doors, row);
          else await takeBack(doors, row.id);
          await finishOperation(catalog.db, id, { state: 'succeeded', result: {} }, clock.now());
        } catch (error) {
          const none = new AbortController().signal;
          await finishOperation(catalog.db, id, { state: 'failed', error: toProblem(describeFailure(error, none, none)) }, clock.now());
          throw error;
        }
      });
    } catch (error) {
      // Busy: somebody was faster. Anything else is tried again in the next round.
      if (!isFluxError(error, 'busy')) log.error({ err: error, project: row.hash }, 'could not end an interrupted migration');
    }
  }
}
