import type { BackupId } from '@flux/contract/ids';
import type { MigrateResult } from '@flux/contract/migrate';
import type { LendingDeps } from '../../backups/reading.ts';
import { openBackup } from '../../backups/restore/open.ts';
import type { ProjectRow } from '../../catalog/projects.ts';
import type { EngineDirectory } from '../../engines/directory.ts';
import type { RemoveOptions } from '../../engines/engine.ts';
import type { SequencePosition } from '../../engines/pooled.ts';
import type { Task } from '../../operations/define.ts';
import { setPositions } from '../../postgres/sequence-positions.ts';
import { restoreIntoStaging, type StagingDeps } from '../restore/staging.ts';

/** What copying a project to a server of its own uses. */
export interface CopyDeps {
  readonly engines: EngineDirectory;
  readonly artifacts: LendingDeps;
  readonly staging: StagingDeps;
}

/** The server of its own that a pooled project has, or will have. */
export function dedicatedOf(engines: EngineDirectory, row: ProjectRow) {
  const { engine, project } = engines.of({ ...row, engine: 'v1_dedicated' });
  return {
    engine,
    project,
    credentials: () => engine.credentials(project),
    remove: (options?: RemoveOptions) => engine.remove(project, options),
  };
}

/** Sets the sequences of the copy where those of the source stand. */
export async function setSequences(
  engines: EngineDirectory,
  row: ProjectRow,
  positions: readonly SequencePosition[],
  signal: AbortSignal,
): Promise<void> {
  const { engine, project } = dedicatedOf(engines, row);
  await setPositions(await engine.administrator(project, signal), engine.apiSchema(project), positions, signal);
}

/**
 * Creates a server for a pooled project and restores a backup of it there, compared with its manifest.
 *
 * @throws FluxError what `openBackup`, `provision` and `restoreIntoStaging` throw; what was created stays, for the caller to remove
 */
export async function copyToDedicated(
  deps: CopyDeps,
  row: ProjectRow,
  backupId: BackupId,
  task: Task,
): Promise<Pick<MigrateResult, 'tablesCompared' | 'rowsCompared' | 'notes'>> {
  await using source = await openBackup(deps.artifacts, backupId, task);
  const { engine, project } = dedicatedOf(deps.engines, row);
  task.progress({ phase: 'provision', message: 'Creating a Postgres server for the project alone' });
  await engine.provision(project, task.signal, source.manifest.server.major);
  const { staging, compared } = await restoreIntoStaging(deps.staging, source, row, { engine, project, place: 'fresh' }, task);
  task.signal.throwIfAborted();
  await staging.swapIn('drop');
  return compared;
}
