import type { BackupId } from '@flux/contract/ids';
import type { Database } from './open.ts';

/** Keeps where the counters of changes stood when a backup was made. */
export async function insertChangeMarks(db: Database, backupId: BackupId, marks: object): Promise<void> {
  await db
    .insertInto('backup_change_marks')
    .values({ backup_id: backupId, marks: JSON.stringify(marks) })
    .execute();
}

/** Where they stood; undefined for a backup that was made before they were kept. */
export async function findChangeMarks(db: Database, backupId: BackupId): Promise<object | undefined> {
  return (await db.selectFrom('backup_change_marks').select('marks').where('backup_id', '=', backupId).executeTakeFirst())?.marks;
}
