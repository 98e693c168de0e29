import type { RestoreAnswer } from '@flux/contract/restore';
import { answerRestore } from '../backups/restore/answer.ts';
import type { ProjectRow } from '../catalog/projects.ts';
import { requireCapability } from '../engines/capabilities.ts';
import type { EngineDirectory } from '../engines/directory.ts';
import type { Task } from '../operations/define.ts';
import { replacedFields } from './undo/data.ts';

/** What an undo uses. */
export interface UndoDeps {
  readonly engines: EngineDirectory;
  /** For how long replaced data is retained. */
  readonly undoKeepMs: number;
}

/**
 * Makes the data live again that the newest restore in place or reset has replaced. The data that is live now is retained instead, so
 * that an undo can be undone.
 *
 * @throws FluxError `not_found` when there is no undo data
 */
export async function undoRestore({ engines, undoKeepMs }: UndoDeps, row: ProjectRow, task: Task): Promise<RestoreAnswer> {
  const { engine, project } = engines.of(row);
  task.progress({ phase: 'swap', message: 'Swapping the names back' });
  const { undoName, outageMs } = await requireCapability(engine, 'undo', project).swapBack(project, task.signal);
  return answerRestore('undo', null, row, { ...replacedFields(undoName, undoKeepMs), outageMs });
}
