import { isFluxError, toProblem } from '@flux/contract/errors';
import { claimOperation, finishOperation } from '../../catalog/operations.ts';
import { listHalfMigrated, lockProject, type ProjectRow, setMigrationState } from '../../catalog/projects.ts';
import type { MigrationState } from '../../catalog/tables.ts';
import { beginOperation } from '../../operations/begin.ts';
import { describeFailure } from '../../operations/run.ts';
import type { ProjectDoors } from '../doors.ts';
import { dedicatedOf } from './copy.ts';

/**
 * Removes the dedicated copy of a project that is still pooled. The catalog alone says whether it is: a flip whose commit
 * nobody has seen is waited for, and then the copy is the project.
 *
 * @returns false when there was none, or it is the project by now
 */
export async function removeCopy(doors: ProjectDoors, id: ProjectRow['id'], states: readonly MigrationState[]): Promise<boolean> {
  const row = await doors.catalog.db.transaction().execute((db) => lockProject(db, id));
  if (row?.engine !== 'v2_shared' || row.migration_state === null || !states.includes(row.migration_state)) return false;
  await dedicatedOf(doors, row).remove();
  await setMigrationState(doors.catalog.db, id, null);
  return true;
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
      const id = await catalog.db
        .transaction()
        .execute((db) => beginOperation(db, clock, { projectId: row.id, kind: 'migrate', backupId: null, actor, request }));
      await claimOperation(catalog.db, id, doors.workerId, clock.now());
      try {
        log.warn({ project: row.hash, state: row.migration_state }, 'ending a migration that was interrupted');
        if (row.migration_state === 'dropping_source') await removeSource(doors, row);
        else await takeBack(doors, row);
        await finishOperation(catalog.db, id, { state: 'succeeded', result: {} }, clock.now());
      } catch (error) {
        const none = new AbortController().signal;
        await finishOperation(catalog.db, id, { state: 'failed', error: toProblem(describeFailure(error, none, none)) }, clock.now());
        throw error;
      }
    } catch (error) {
      // Busy: somebody was faster. Anything else is tried again in the next round.
      if (!isFluxError(error, 'busy')) log.error({ err: error, project: row.hash }, 'could not end an interrupted migration');
    }
  }
}

/** Makes a project whose move was interrupted writable again, and removes its copy. */
export async function takeBack(doors: ProjectDoors, row: ProjectRow): Promise<void> {
  const { engine, project } = doors.engines.of({ ...row, engine: 'v2_shared' });
  // Open first: the state stays `copying`, and this runs again, until both are done.
  await engine.start(project);
  await removeCopy(doors, row.id, ['copying']);
}
