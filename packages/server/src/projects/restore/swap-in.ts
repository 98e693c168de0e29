import type { Actor } from '../../catalog/audit.ts';
import type { DatabaseTransaction } from '../../catalog/open.ts';
import type { ProjectRow } from '../../catalog/projects.ts';
import type { RestoreSide } from '../../engines/restore-side.ts';
import type { OperationContext } from '../../operations/run.ts';
import { type KeptFields, keptFields } from './kept.ts';
import type { RestoreDoors } from './side.ts';

/**
 * Makes a place that is ready the live data of a project and keeps what was live, in the stead of what was kept before. A
 * failure before the swap removes the place.
 *
 * @param redeem takes up the clearance, in the transaction that is committed right before the swap
 */
export async function swapInAndKeep(
  { projects }: RestoreDoors,
  row: ProjectRow,
  side: RestoreSide,
  context: OperationContext,
  redeem: (db: DatabaseTransaction, actor: Actor) => Promise<void>,
): Promise<KeptFields & { readonly outageMs: number }> {
  const { engine, project } = projects.engines.of(row);
  try {
    context.progress({ phase: 'swap', message: 'Swapping the names' });
    context.signal.throwIfAborted();
    const actor = { userId: row.owner_id, tokenId: context.operation.requested_by };
    await projects.catalog.db.transaction().execute((db) => redeem(db, actor));
    const older = (await engine.listKept(project)).map(({ name }) => name);
    const { keptAs, outageMs } = await side.swapIn('keep');
    // Only what has just been replaced is kept: two would fill the disk in silence.
    await engine
      .dropKept(project, older)
      .catch((error) => projects.log.warn({ err: error, project: row.hash }, 'what an older restore had replaced stays'));
    return { ...keptFields(projects, keptAs), outageMs };
  } catch (error) {
    await side.discard().catch((failure) => projects.log.warn({ err: failure, project: row.hash }, 'a half-made place stays'));
    throw error;
  }
}
