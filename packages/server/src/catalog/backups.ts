import type { BackupId, OperationId, ProjectId } from '@flux/contract/ids';
import type { OperationKind } from '@flux/contract/operation-kind';
import type { Insertable, Selectable, Updateable } from 'kysely';
import type { Database, DatabaseTransaction } from './open.ts';
import type { BackupsTable } from './tables.ts';

/** A row of `backups`. */
export type BackupRow = Selectable<BackupsTable>;

export async function insertBackup(db: Database, row: Insertable<BackupsTable>): Promise<BackupRow> {
  return db.insertInto('backups').values(row).returningAll().executeTakeFirstOrThrow();
}

/** A query for one backup of a project: of those that its conditions leave, the one that was recorded last. */
function newestOf(db: Database, projectId: ProjectId) {
  return db.selectFrom('backups').selectAll().where('project_id', '=', projectId).orderBy('seq', 'desc').limit(1);
}

/**
 * The one definition of *latest*: the row that was recorded last, whatever became of it. An imported file is never the latest: it is not
 * of the data of the project.
 */
export async function findLatestBackup(db: Database, projectId: ProjectId): Promise<BackupRow | undefined> {
  return newestOf(db, projectId).where('origin', '<>', 'imported').executeTakeFirst();
}

/** Tells whether a project has backups of any origin, in any state. */
export async function hasBackups(db: Database, projectId: ProjectId): Promise<boolean> {
  return (await db.selectFrom('backups').select('id').where('project_id', '=', projectId).limit(1).executeTakeFirst()) !== undefined;
}

/** The newest backup of the data of a project that was completed, whatever it was found to be since. */
export async function findLatestCompleteBackup(db: Database, projectId: ProjectId): Promise<BackupRow | undefined> {
  return newestOf(db, projectId).where('status', '=', 'complete').where('origin', '<>', 'imported').executeTakeFirst();
}

/** The newest backup that a person or a schedule asked for: what a restore of the latest one means. */
export async function findLatestRequestedBackup(db: Database, projectId: ProjectId): Promise<BackupRow | undefined> {
  return newestOf(db, projectId).where('origin', '=', 'requested').executeTakeFirst();
}

export async function findBackup(db: Database, projectId: ProjectId, id: BackupId): Promise<BackupRow | undefined> {
  return db.selectFrom('backups').selectAll().where('project_id', '=', projectId).where('id', '=', id).executeTakeFirst();
}

export async function findBackupById(db: Database, id: BackupId): Promise<BackupRow | undefined> {
  return db.selectFrom('backups').selectAll().where('id', '=', id).executeTakeFirst();
}

/** The state of every backup there ever was. */
export async function listBackupStates(db: Database): Promise<ReadonlyMap<BackupId, BackupRow['status']>> {
  return new Map((await db.selectFrom('backups').select(['id', 'status']).execute()).map(({ id, status }) => [id, status]));
}

/** Marks the backups that an operation did not finish as failed. @returns them: their files are litter now */
export async function failUnfinishedBackups(
  db: DatabaseTransaction,
  operationId: OperationId,
  failure: string,
): Promise<readonly BackupRow[]> {
  return (
    db
      .updateTable('backups')
      // The bytes of an import are removed with it, and no longer count.
      .set({ status: 'failed', failure, size_bytes: null })
      .where('operation_id', '=', operationId)
      .where('status', 'in', ['queued', 'running'])
      .returningAll()
      .execute()
  );
}

/** Tells whether a backup was taken as a part of an operation of these kinds that did not succeed. */
export async function belongsToFailedOperation(
  db: Database,
  { operation_id }: BackupRow,
  kinds: readonly OperationKind[],
): Promise<boolean> {
  if (operation_id === null) return false;
  const found = await db
    .selectFrom('operations')
    .select('id')
    .where('id', '=', operation_id)
    .where('kind', 'in', kinds)
    .where('state', 'in', ['failed', 'cancelled'])
    .executeTakeFirst();
  return found !== undefined;
}

/** Complete backups whose artifact was not validated: their worker died between the two steps. */
export async function listUnvalidatedBackups(db: Database): Promise<readonly BackupRow[]> {
  return db
    .selectFrom('backups')
    .selectAll()
    .where('status', '=', 'complete')
    .where('artifact_validation', '=', 'pending')
    .where('removed_at', 'is', null)
    .execute();
}

/** A page of backups, newest first. `beforeSeq` is the `seq` of the last row of the page before. */
export async function listBackups(db: Database, projectId: ProjectId, limit: number, beforeSeq?: number): Promise<readonly BackupRow[]> {
  let query = db.selectFrom('backups').selectAll().where('project_id', '=', projectId);
  if (beforeSeq !== undefined) query = query.where('seq', '<', beforeSeq);
  return query.orderBy('seq', 'desc').limit(limit).execute();
}

/** Columns of a backup to set. */
export type BackupChange = Updateable<BackupsTable>;

export async function updateBackup(db: Database, id: BackupId, change: BackupChange): Promise<BackupRow> {
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

/** Every backup of the data of a project whose bytes, as they were written, have been restored and compared, and which Flux has not removed, newest first. */
export async function listProvenBackups(db: Database, projectId: ProjectId): Promise<readonly BackupRow[]> {
  return backupsWithArtifact(db, projectId).whereRef('verified_sha256', '=', 'sha256').execute();
}

/** Every backup of the data of a project that has an artifact which Flux has not removed, newest first. Whether the files are good is not known. */
export async function listBackupsWithArtifact(db: Database, projectId: ProjectId): Promise<readonly BackupRow[]> {
  return backupsWithArtifact(db, projectId).execute();
}

function backupsWithArtifact(db: Database, projectId: ProjectId) {
  return db
    .selectFrom('backups')
    .selectAll()
    .where('project_id', '=', projectId)
    .where('status', '=', 'complete')
    .where('origin', '<>', 'imported')
    .where('removed_at', 'is', null)
    .orderBy('seq', 'desc');
}
