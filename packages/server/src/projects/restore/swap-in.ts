import { hasUnknownOutcome } from '@flux/contract/errors';
import type { Catalog, DatabaseTransaction } from '../../catalog/open.ts';
import type { ProjectRow } from '../../catalog/projects.ts';
import { requireCapability } from '../../engines/capabilities.ts';
import type { EngineDirectory } from '../../engines/directory.ts';
import type { Staging } from '../../engines/staging.ts';
import type { Task } from '../../operations/define.ts';
import type { Log } from '../../system/log.ts';
import { type ReplacedFields, replacedFields } from '../undo/data.ts';

/** What swapping uses. */
export interface SwapDeps {
  readonly catalog: Catalog;
  readonly engines: EngineDirectory;
  readonly undoKeepMs: number;
  readonly log: Log;
}

/**
 * Swaps a staging that is ready in. The data that was live is retained for an undo; older undo data is dropped. A failure before the
 * swap removes the staging. When nobody knows whether it was swapped, nothing is removed: the next restore finds either.
 *
 * @param redeem redeems the clearance, in the transaction that is committed right before the swap
 * @returns `outageMs`: for how long nobody could reach the project
 */
export async function swapIn(
  { catalog, engines, undoKeepMs, log }: SwapDeps,
  row: ProjectRow,
  staging: Staging,
  task: Task,
  redeem: (db: DatabaseTransaction) => Promise<void>,
): Promise<ReplacedFields & { readonly outageMs: number }> {
  const { engine, project } = engines.of(row);
  const undo = requireCapability(engine, 'undo', project);
  try {
    task.progress({ phase: 'swap', message: 'Swapping the names' });
    task.signal.throwIfAborted();
    await catalog.db.transaction().execute(async (db) => {
      await task.requireHeld(db);
      await redeem(db);
    });
    const older = (await undo.list(project, task.signal)).map(({ name }) => name);
    const { undoName, outageMs } = await staging.swapIn('keep', task.signal);
    // Only the newest undo data is retained: more would fill the disk unnoticed.
    await undo.drop(project, older).catch((error) => log.warn({ err: error, project: row.hash }, 'older undo data was not removed'));
    return { ...replacedFields(undoName, undoKeepMs), outageMs };
  } catch (error) {
    if (hasUnknownOutcome(error)) throw error;
    await staging.discard().catch((failure) => log.warn({ err: failure, project: row.hash }, 'an incomplete staging was left behind'));
    throw error;
  }
}
