import type { BackupId } from '@flux/contract/ids';
import type { Insertable, Selectable, Updateable } from 'kysely';
import type { Database } from './open.ts';
import type { CopiesTable } from './tables.ts';

/** A copy of a backup's artifact in one store. */
export type CopyRow = Selectable<CopiesTable>;

/** Records a copy whose bytes are durable; belongs into the transaction that makes the backup complete. */
export async function insertCopy(db: Database, row: Insertable<CopiesTable>): Promise<void> {
  await db.insertInto('copies').values(row).execute();
}

/** The copies of these backups, in no promised order: one query for a whole page of a list. */
export async function listCopies(db: Database, backupIds: readonly BackupId[]): Promise<readonly CopyRow[]> {
  if (backupIds.length === 0) return [];
  return db.selectFrom('copies').selectAll().where('backup_id', 'in', backupIds).execute();
}

/** Records what was found of a copy. One that was removed stays removed. */
export async function updateCopy(db: Database, backupId: BackupId, store: string, change: Updateable<CopiesTable>): Promise<void> {
  await db
    .updateTable('copies')
    .set(change)
    .where('backup_id', '=', backupId)
    .where('store', '=', store)
    .where('state', '<>', 'removed')
    .execute();
}

/** Marks every copy of a backup as removed; belongs into the transaction that marks the backup. */
export async function markCopiesRemoved(db: Database, backupId: BackupId): Promise<void> {
  await db.updateTable('copies').set({ state: 'removed', problem: null }).where('backup_id', '=', backupId).execute();
}
