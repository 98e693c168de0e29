import { createHash } from 'node:crypto';
import type { BackupAnswer } from '@flux/contract/backup';
import { FluxError, isFluxError } from '@flux/contract/errors';
import type { BackupId, OperationId } from '@flux/contract/ids';
import { backupKindOf } from '@flux/contract/labels';
import type { Artifact, ArtifactDraft } from '../artifacts/store.ts';
import { type Actor, recordAudit } from '../catalog/audit.ts';
import { findBackupById, insertBackup, insertManifest, updateBackup } from '../catalog/backups.ts';
import { insertChangeMarks } from '../catalog/change-marks.ts';
import type { ProjectRow } from '../catalog/projects.ts';
import { beginOperation } from '../operations/begin.ts';
import type { OperationContext } from '../operations/run.ts';
import type { Manifest } from '../postgres/manifest.ts';
import { uuidv7 } from '../system/uuid.ts';
import type { BackupDoors, DumpSession } from './doors.ts';
import { readBackupItem } from './item.ts';
import { validateBackup } from './validate.ts';

/**
 * Records a new backup and puts its making before the workers, in one transaction.
 *
 * @throws FluxError `busy`, `not_ready`
 */
export async function requestBackup(doors: BackupDoors, project: ProjectRow, actor: Actor, note: string | undefined): Promise<OperationId> {
  if (project.lifecycle !== 'active') {
    throw new FluxError('not_ready', `${project.slug} is ${project.lifecycle}, so there is nothing to back up.`, {
      hint: 'See `flux list`.',
    });
  }
  // Looked at before a row exists: a stopped instance is the user's to start, not a failed backup.
  const { engine, project: opened } = doors.engines.of(project);
  await engine.backupSource(opened);
  const now = doors.clock.now();
  const backupId = uuidv7(now) as BackupId;
  return doors.catalog.db.transaction().execute(async (db) => {
    await insertBackup(db, {
      id: backupId,
      project_id: project.id,
      kind: backupKindOf(project.engine),
      engine: project.engine,
      status: 'queued',
      note: note ?? null,
      created_at: now,
    });
    const operationId = await beginOperation(db, doors.clock, {
      projectId: project.id,
      kind: 'backup_create',
      backupId,
      actor,
      request: {},
    });
    await recordAudit(db, actor, { action: 'backup.create', projectId: project.id, subject: backupId });
    await doors.queue.enqueue(db, operationId);
    return operationId;
  });
}

/**
 * Makes the backup of an operation: dump and manifest under one snapshot, then durable files, then the row, in that order.
 * Whatever fails leaves a row that says `failed`, and no file.
 */
export async function createBackup(doors: BackupDoors, project: ProjectRow, context: OperationContext): Promise<BackupAnswer> {
  const backupId = context.operation.backup_id as BackupId;
  const { catalog, store, clock } = doors;
  await updateBackup(catalog.db, backupId, { status: 'running' });
  try {
    await writeArtifact(doors, project, backupId, context);
  } catch (error) {
    await failBackup(doors, project, backupId, error, context.signal);
    throw error;
  }
  context.progress({ phase: 'validate', message: 'Reading the artifact again' });
  await validateBackup(doors, backupId, context.signal);
  const row = await findBackupById(catalog.db, backupId);
  if (row === undefined) throw new Error(`backup ${backupId} has vanished from the catalog`);
  if (row.artifact_validation === 'artifact_invalid') {
    throw new FluxError('artifact_invalid', `The artifact that was just written is not valid: ${row.artifact_validation_error}`, {
      hint: 'Check the disk of the backup volume, then run `flux backup create` again.',
      details: { backupId },
    });
  }
  doors.log.info(
    { backup: backupId, project: project.hash, sizeBytes: row.size_bytes, ms: clock.now().getTime() - row.created_at.getTime() },
    'backup complete',
  );
  return { backup: await readBackupItem(store, row, 'other') };
}

async function writeArtifact(doors: BackupDoors, project: ProjectRow, backupId: BackupId, context: OperationContext): Promise<void> {
  const signal = AbortSignal.any([context.signal, AbortSignal.timeout(doors.backupTimeoutMs)]);
  context.progress({ phase: 'connect', message: 'Opening a snapshot' });
  const { engine, project: opened } = doors.engines.of(project);
  const source = await engine.backupSource(opened);
  await using session = await doors.postgres.openDump(source, signal);
  await using draft = await doors.store.create({ projectId: project.id, backupId });
  const manifest = await dumpInto(draft, session, context);
  const manifestText = JSON.stringify(manifest);
  context.progress({ phase: 'publish', message: 'Making the artifact durable' });
  signal.throwIfAborted();
  const artifact = await draft.publish(manifestText);
  await recordComplete(doors, backupId, artifact, manifest, manifestText, session.changeMarks);
}

/** Dump and manifest run side by side under the same snapshot; the first that fails ends both. */
async function dumpInto(draft: ArtifactDraft, session: DumpSession, context: OperationContext): Promise<Manifest> {
  const total = session.estimatedBytes;
  const report = (done: number) => context.progress({ phase: 'dump', message: 'Dumping', done, total, unit: 'bytes' });
  const recording = session.recordManifest(() => undefined);
  const dumping = session.dump(async (bytes) => {
    await draft.write(bytes, report);
  });
  let first: { readonly error: unknown } | undefined;
  const stop = (error: unknown) => {
    first ??= { error };
    session.abort(error);
  };
  // Both must have ended before this returns: the draft is taken away from under whatever still writes.
  await Promise.allSettled([recording.catch(stop), dumping.catch(stop)]);
  if (first !== undefined) throw (first as { readonly error: unknown }).error;
  return session.completeManifest(await recording);
}

async function recordComplete(
  doors: BackupDoors,
  backupId: BackupId,
  artifact: Artifact,
  manifest: Manifest,
  manifestText: string,
  changeMarks: DumpSession['changeMarks'],
): Promise<void> {
  const manifestSha256 = createHash('sha256').update(manifestText).digest('hex');
  await doors.catalog.db.transaction().execute(async (db) => {
    await insertManifest(db, backupId, manifestSha256, manifestText);
    if (changeMarks !== undefined) await insertChangeMarks(db, backupId, changeMarks);
    await updateBackup(db, backupId, {
      status: 'complete',
      completed_at: doors.clock.now(),
      size_bytes: artifact.sizeBytes,
      sha256: artifact.sha256,
      manifest_sha256: manifestSha256,
      relative_path: artifact.relativePath,
      postgres_version: manifest.server.version,
      tables_total: manifest.tables.length,
      rows_total: manifest.tables.reduce((sum, table) => sum + table.rows, 0),
    });
  });
}

async function failBackup(doors: BackupDoors, project: ProjectRow, backupId: BackupId, error: unknown, signal: AbortSignal): Promise<void> {
  const cause = signal.aborted ? signal.reason : error;
  const failure = isFluxError(cause) || cause instanceof Error ? cause.message : String(cause);
  // The row first: a file without a row is litter, a row without its file would be a lie.
  await doors.catalog.db
    .updateTable('backups')
    .set({ status: 'failed', failure })
    .where('id', '=', backupId)
    .where('status', 'in', ['queued', 'running'])
    .execute();
  const row = await findBackupById(doors.catalog.db, backupId);
  if (row?.status === 'failed') await doors.store.remove({ projectId: project.id, backupId });
}
