import type { BackupId, ProjectId } from '@flux/contract/ids';
import type { Insertable, Selectable, Updateable } from 'kysely';
import type { Database, DatabaseTransaction } from './open.ts';
import type { BackupsTable } from './tables.ts';

/** A backup as the catalog holds it. */
export type BackupRow = Selectable<BackupsTable>;

export async function insertBackup(db: Database, row: Insertable<BackupsTable>): Promise<BackupRow> {
  return db.insertInto('backups').values(row).returningAll().executeTakeFirstOrThrow();
}

/** The one definition of *latest*: the row that was recorded last, whatever became of it. */
export async function findLatestBackup(db: Database, projectId: ProjectId): Promise<BackupRow | undefined> {
  return db.selectFrom('backups').selectAll().where('project_id', '=', projectId).orderBy('seq', 'desc').limit(1).executeTakeFirst();
}

export async function findBackup(db: Database, projectId: ProjectId, id: BackupId): Promise<BackupRow | undefined> {
  return db.selectFrom('backups').selectAll().where('project_id', '=', projectId).where('id', '=', id).executeTakeFirst();
}

export async function findBackupById(db: Database, id: BackupId): Promise<BackupRow | undefined> {
  return db.selectFrom('backups').selectAll().where('id', '=', id).executeTakeFirst();
}

/** The backup of a project that is being made, or was when its maker died. */
export async function findUnfinishedBackup(db: Database, projectId: ProjectId): Promise<BackupRow | undefined> {
  return db
    .selectFrom('backups')
    .selectAll()
    .where('project_id', '=', projectId)
    .where('status', 'in', ['queued', 'running'])
    .orderBy('seq', 'desc')
    .limit(1)
    .executeTakeFirst();
}

/** A page of backups, newest first. `beforeSeq` is the `seq` of the last row of the page before. */
export async function listBackups(db: Database, projectId: ProjectId, limit: number, beforeSeq?: number): Promise<readonly BackupRow[]> {
  let query = db.selectFrom('backups').selectAll().where('project_id', '=', projectId);
  if (beforeSeq !== undefined) query = query.where('seq', '<', beforeSeq);
  return query.orderBy('seq', 'desc').limit(limit).execute();
}

export async function updateBackup(db: Database, id: BackupId, change: Updateable<BackupsTable>): Promise<BackupRow> {
  return db.updateTable('backups').set(change).where('id', '=', id).returningAll().executeTakeFirstOrThrow();
}

export async function insertManifest(db: Database, backupId: BackupId, sha256: string, manifest: string): Promise<void> {
  await db.insertInto('backup_manifests').values({ backup_id: backupId, sha256, manifest }).execute();
}

export async function findManifest(db: Database, backupId: BackupId): Promise<{ sha256: string; manifest: string } | undefined> {
  return db.selectFrom('backup_manifests').select(['sha256', 'manifest']).where('backup_id', '=', backupId).executeTakeFirst();
}

/** The row, locked until the transaction ends. */
export async function lockBackup(db: DatabaseTransaction, id: BackupId): Promise<BackupRow | undefined> {
  return db.selectFrom('backups').selectAll().where('id', '=', id).forUpdate().executeTakeFirst();
}

/** Every backup whose bytes, as they were written, have been restored and compared, and which Flux has not removed, newest first. */
export async function listProvenBackups(db: Database, projectId: ProjectId): Promise<readonly BackupRow[]> {
  return keptBackups(db, projectId).whereRef('verified_sha256', '=', 'sha256').execute();
}

/** Every backup of a project that has an artifact which Flux has not removed, newest first. Whether the files are good is not known. */
export async function listKeptBackups(db: Database, projectId: ProjectId): Promise<readonly BackupRow[]> {
  return keptBackups(db, projectId).execute();
}

function keptBackups(db: Database, projectId: ProjectId) {
  return db
    .selectFrom('backups')
    .selectAll()
    .where('project_id', '=', projectId)
    .where('status', '=', 'complete')
    .where('removed_at', 'is', null)
    .orderBy('seq', 'desc');
}
