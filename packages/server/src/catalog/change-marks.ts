import type { BackupId } from '@flux/contract/ids';
import type { Database } from './open.ts';
import { toStoredJson } from './stored-json.ts';

/** Stores where the counters of changes stood when a backup was taken. */
export async function insertChangeMarks(db: Database, backupId: BackupId, marks: object): Promise<void> {
  await db
    .insertInto('backup_change_marks')
    .values({ backup_id: backupId, marks: toStoredJson(marks) })
    .execute();
}

/** Where they stood, as stored: `ChangeMarks` parses it. Undefined for a backup of a version that did not store them. */
export async function findChangeMarks(db: Database, backupId: BackupId): Promise<unknown> {
  return (await db.selectFrom('backup_change_marks').select('marks').where('backup_id', '=', backupId).executeTakeFirst())?.marks;
}
