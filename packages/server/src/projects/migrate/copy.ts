import { FluxError } from '@flux/contract/errors';
import type { BackupId } from '@flux/contract/ids';
import type { MigrateResult } from '@flux/contract/migrate';
import { openBackup } from '../../backups/restore/open.ts';
import { findBackupById } from '../../catalog/backups.ts';
import type { ProjectRow } from '../../catalog/projects.ts';
import type { Task } from '../../operations/define.ts';
import type { ProjectDoors } from '../doors.ts';
import { type RestoreDoors, restoreIntoStaging } from '../restore/into-staging.ts';

/** The server of its own that a pooled project has, or will have. */
export function dedicatedOf({ engines }: ProjectDoors, row: ProjectRow) {
  const { engine, project } = engines.of({ ...row, engine: 'v1_dedicated' });
  return { engine, project, credentials: () => engine.credentials(project), remove: () => engine.remove(project) };
}

/**
 * Makes a server for a pooled project and restores a backup of it there, compared with its manifest.
 *
 * @throws FluxError what `openBackup`, `provision` and `restoreIntoStaging` throw; what was made stays, for the caller to remove
 */
export async function copyToDedicated(
  doors: RestoreDoors,
  row: ProjectRow,
  backupId: BackupId,
  task: Task,
): Promise<Pick<MigrateResult, 'tablesCompared' | 'rowsCompared' | 'notes'>> {
  const backup = await findBackupById(doors.projects.catalog.db, backupId);
  if (backup === undefined) throw new FluxError('backup_not_found', 'The backup has vanished from the catalog.');
  await using source = await openBackup(doors.backups, backup, task);
  const { engine, project } = dedicatedOf(doors.projects, row);
  task.progress({ phase: 'provision', message: 'Making a Postgres server for the project alone' });
  await engine.provision(project, task.signal, source.manifest.server.major);
  const { staging, comparison, notes } = await restoreIntoStaging(doors, source, row, { engine, project, place: 'fresh' }, task);
  task.signal.throwIfAborted();
  await staging.swapIn('drop');
  return { tablesCompared: comparison.tablesCompared, rowsCompared: comparison.rowsCompared, notes: [...notes] };
}
