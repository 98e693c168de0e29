import { FluxError } from '@flux/contract/errors';
import type { RestoreAnswer } from '@flux/contract/restore';
import { answerRestore } from '../backups/restore/answer.ts';
import type { RestoreTimes } from '../backups/restore/time-limit.ts';
import type { ProjectRow } from '../catalog/projects.ts';
import { requireCapability } from '../engines/capabilities.ts';
import type { EngineDirectory } from '../engines/directory.ts';
import type { Task } from '../operations/define.ts';
import { withinTime } from '../operations/time-limit.ts';
import { replacedFields } from './undo/data.ts';

/** What an undo uses. */
export interface UndoDeps {
  readonly engines: EngineDirectory;
  /** For how long replaced data is retained. */
  readonly undoKeepMs: number;
  readonly sandbox: { readonly restoreTimes: RestoreTimes };
}

/**
 * Makes the data live again that the newest restore in place or reset has replaced. The data that is live now is retained instead, so
 * that an undo can be undone.
 *
 * @throws FluxError `not_found` when there is no undo data
 */
export async function undoRestore({ engines, undoKeepMs, sandbox }: UndoDeps, row: ProjectRow, task: Task): Promise<RestoreAnswer> {
  const { engine, project } = engines.of(row);
  task.progress({ phase: 'swap', message: 'Swapping the names back' });
  const undo = requireCapability(engine, 'undo', project);
  const { undoName, outageMs } = await withinTime(task, sandbox.restoreTimes.minMs, tookTooLong, ({ signal }) =>
    undo.swapBack(project, signal),
  );
  return answerRestore('undo', null, row, { ...replacedFields(undoName, undoKeepMs), outageMs });
}

function tookTooLong(cause: unknown): FluxError {
  return new FluxError('postgres_failed', 'The server has not swapped the names within the time of the smallest restore.', {
    hint: 'Look at the project (`flux list`) and at who is connected to it, then run the command again.',
    cause,
  });
}
