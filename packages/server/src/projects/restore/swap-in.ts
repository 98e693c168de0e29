import type { DatabaseTransaction } from '../../catalog/open.ts';
import type { ProjectRow } from '../../catalog/projects.ts';
import { requireCapability } from '../../engines/capabilities.ts';
import type { Staging } from '../../engines/staging.ts';
import type { Task } from '../../operations/define.ts';
import type { RestoreDoors } from './into-staging.ts';
import { type KeptFields, keptFields } from './kept.ts';

/**
 * Makes a place that is ready the live data of a project and keeps what was live, in the stead of what was kept before. A
 * failure before the swap removes the place.
 *
 * @param redeem takes up the clearance, in the transaction that is committed right before the swap
 */
export async function swapInAndKeep(
  { projects }: RestoreDoors,
  row: ProjectRow,
  staging: Staging,
  task: Task,
  redeem: (db: DatabaseTransaction) => Promise<void>,
): Promise<KeptFields & { readonly outageMs: number }> {
  const { engine, project } = projects.engines.of(row);
  const undo = requireCapability(engine, 'undo', project);
  try {
    task.progress({ phase: 'swap', message: 'Swapping the names' });
    task.signal.throwIfAborted();
    await projects.catalog.db.transaction().execute(redeem);
    const older = (await undo.list(project, task.signal)).map(({ name }) => name);
    const { undoName, outageMs } = await staging.swapIn('keep', task.signal);
    // Only what has just been replaced is kept: two would fill the disk in silence.
    await undo
      .drop(project, older)
      .catch((error) => projects.log.warn({ err: error, project: row.hash }, 'what an older restore had replaced stays'));
    return { ...keptFields(projects, undoName), outageMs };
  } catch (error) {
    await staging
      .discard()
      .catch((failure) => projects.log.warn({ err: failure, project: row.hash }, 'an incomplete staging was left behind'));
    throw error;
  }
}
