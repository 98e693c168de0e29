import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import type { BackupAnswer } from '@flux/contract/backup';
import { FluxError } from '@flux/contract/errors';
import type { BackupId, OperationId } from '@flux/contract/ids';
import { backupKindOf } from '@flux/contract/labels';
import * as z from 'zod';
import { artifactKey, manifestKey } from '../blobs/artifact-keys.ts';
import { putConfirmed, type TakeBytes } from '../blobs/put-confirmed.ts';
import type { StoredBlob } from '../blobs/store.ts';
import type { Actor } from '../catalog/audit.ts';
import { type BackupRow, findBackupById, insertBackup, insertManifest, updateBackup } from '../catalog/backups.ts';
import { insertChangeMarks } from '../catalog/change-marks.ts';
import { insertCopy } from '../catalog/copies.ts';
import type { ProjectRow } from '../catalog/projects.ts';
import type { EngineDirectory } from '../engines/directory.ts';
import { defineOperation, type Task } from '../operations/define.ts';
import { type RequestDeps, requestOperation } from '../operations/request.ts';
import { type DumpSession, openDumpSession } from '../postgres/dump-session.ts';
import type { Manifest } from '../postgres/manifest.ts';
import type { PostgresPrograms } from '../postgres/programs.ts';
import { leftOutByWarnings } from '../postgres/tool-warnings.ts';
import type { Log } from '../system/log.ts';
import { uuidv7 } from '../system/uuid.ts';
import { abandonBackups } from './abandon.ts';
import { readBackupItem } from './item.ts';
import { boundLeftOut } from './left-out.ts';
import type { ReadingDeps } from './reading.ts';
import { validateBackup } from './validate.ts';

/** What creating a backup uses. */
export interface CreateDeps extends ReadingDeps {
  readonly log: Log;
  readonly engines: EngineDirectory;
  readonly dumps: DumpSettings;
}

/** How dumps are created. */
export interface DumpSettings {
  readonly programs: PostgresPrograms;
  /** A dump that takes longer fails. */
  readonly timeoutMs: number;
}

/** Creates a backup. Restarted after its worker is lost: nothing counts as a backup before the last step. */
export const backupCreate = defineOperation({
  kind: 'backup_create',
  request: z.object({}),
  touches: 'project',
  runsOn: 'project host',
  audit: ({ backupId }) => ({ action: 'backup.create', subject: String(backupId) }),
  afterWorkerLoss: 'restart',
  run: (deps: CreateDeps, { project, backupId }, task) => createBackup(deps, project, requireBackupId(backupId), task),
  onInterrupted: abandonBackups,
});

/**
 * Records a new backup and enqueues its creation, in one transaction.
 *
 * @throws FluxError `busy`, `not_ready`
 */
export async function requestBackup(
  deps: RequestDeps & Pick<CreateDeps, 'engines'>,
  project: ProjectRow,
  requester: Actor,
  note: string | undefined,
): Promise<OperationId> {
  if (project.lifecycle !== 'active') {
    throw new FluxError('not_ready', `${project.slug} is ${project.lifecycle}, so there is nothing to back up.`, {
      hint: 'See `flux list`.',
    });
  }
  // Checked before a row exists: the user has to start a stopped instance; that is not a failed backup.
  const { engine, project: opened } = deps.engines.of(project);
  await engine.backupSource(opened);
  return requestOperation(deps, backupCreate, async (db, operationId) => {
    const { id } = await insertBackup(db, newBackup(project, operationId, deps.clock.now(), note ?? null));
    return { project, backupId: id, requester, request: {} };
  });
}

/** The row of a backup that an operation will create. */
export function newBackup(project: ProjectRow, operationId: OperationId, now: Date, note: string | null) {
  const { engine } = project;
  const id = uuidv7(now) as BackupId;
  const kind = backupKindOf(engine);
  return { id, project_id: project.id, kind, engine, status: 'queued', note, operation_id: operationId, created_at: now } as const;
}

/**
 * Creates a backup whose row exists: dump and manifest under one snapshot, then durable files, then the row, in that order. After a
 * failure the row is unfinished, and the end of the operation marks it as failed. A backup that a lost worker has completed is only
 * validated.
 */
export async function createBackup(deps: CreateDeps, project: ProjectRow, backupId: BackupId, task: Task): Promise<BackupAnswer> {
  const { catalog, store, clock } = deps;
  if ((await requireBackup(deps, backupId)).status !== 'complete') {
    await updateBackup(catalog.db, backupId, { status: 'running' });
    await writeArtifact(deps, project, backupId, task);
  }
  task.progress({ phase: 'validate', message: 'Reading the artifact again' });
  await validateBackup(deps, backupId, task.signal);
  const row = await requireBackup(deps, backupId);
  if (row.artifact_validation === 'artifact_invalid') {
    throw new FluxError('artifact_invalid', `The artifact that was just written is not valid: ${row.artifact_validation_error}`, {
      hint: 'Check the disk of the backup volume, then run `flux backup create` again.',
      details: { backupId },
    });
  }
  deps.log.info(
    { backup: backupId, project: project.hash, sizeBytes: row.size_bytes, ms: clock.now().getTime() - row.created_at.getTime() },
    'backup complete',
  );
  return { backup: await readBackupItem({ catalog, store }, row, 'other') };
}

/** @throws FluxError `backup_not_found` */
async function requireBackup({ catalog }: Pick<CreateDeps, 'catalog'>, id: BackupId): Promise<BackupRow> {
  const row = await findBackupById(catalog.db, id);
  if (row === undefined) throw new FluxError('backup_not_found', `Backup ${id} is no longer in the catalog.`);
  return row;
}

/** The backup of an operation that always has one. */
export function requireBackupId(backupId: BackupId | null): BackupId {
  if (backupId === null) throw new Error('an operation on a backup was recorded without one');
  return backupId;
}

async function writeArtifact(deps: CreateDeps, project: ProjectRow, backupId: BackupId, task: Task): Promise<void> {
  const signal = AbortSignal.any([task.signal, AbortSignal.timeout(deps.dumps.timeoutMs)]);
  task.progress({ phase: 'connect', message: 'Opening a snapshot' });
  const { engine, project: opened } = deps.engines.of(project);
  const source = await engine.backupSource(opened);
  await using session = await openDumpSession(deps.dumps.programs, source, signal);
  const reference = { projectId: project.id, backupId };
  const total = session.estimatedBytes;
  const onBytes = (done: number) => task.progress({ phase: 'dump', message: 'Dumping', done, total, unit: 'bytes' });
  const { stored, produced } = await putConfirmed(
    deps.store,
    artifactKey(reference),
    async (take) => {
      const manifest = await dumpInto(take, session);
      const text = JSON.stringify(manifest);
      task.progress({ phase: 'publish', message: 'Syncing the artifact to disk' });
      // Under the same name, another worker's artifact may be complete by now.
      await deps.catalog.db.transaction().execute(task.requireHeld);
      // The manifest first, the artifact last: wherever there is an artifact, there is also its manifest.
      await deps.store.put(manifestKey(reference), Readable.from([Buffer.from(text)]), { signal });
      return { manifest, text };
    },
    { signal, onBytes },
  );
  const copy = { store: deps.store.name, key: artifactKey(reference), ...stored };
  await recordComplete(deps, backupId, copy, { ...produced, changeMarks: session.changeMarks }, task);
}

/** Dump and manifest run in parallel under the same snapshot; the first failure ends both. */
async function dumpInto(take: TakeBytes, session: DumpSession): Promise<Manifest> {
  const recording = session.recordManifest(() => undefined);
  const dumping = session.dump(take);
  let first: { readonly error: unknown } | undefined;
  const stop = (error: unknown) => {
    first ??= { error };
    session.abort(error);
  };
  // Both must have ended before this returns, because the session that they use is closed next.
  await Promise.allSettled([recording.catch(stop), dumping.catch(stop)]);
  if (first !== undefined) throw (first as { readonly error: unknown }).error;
  const manifest = await session.completeManifest(await recording);
  // Both have succeeded.
  const { warnings, statements } = await dumping;
  return { ...manifest, leftOut: [...manifest.leftOut, ...leftOutByWarnings(warnings)], statements };
}

async function recordComplete(
  deps: CreateDeps,
  backupId: BackupId,
  copy: StoredBlob & { readonly store: string; readonly key: string },
  { manifest, text, changeMarks }: { readonly manifest: Manifest; readonly text: string } & Pick<DumpSession, 'changeMarks'>,
  task: Task,
): Promise<void> {
  const manifestSha256 = createHash('sha256').update(text).digest('hex');
  const now = deps.clock.now();
  await deps.catalog.db.transaction().execute(async (db) => {
    await task.requireHeld(db);
    await insertManifest(db, backupId, manifestSha256, text);
    if (changeMarks !== undefined) await insertChangeMarks(db, backupId, changeMarks);
    await insertCopy(db, {
      backup_id: backupId,
      store: copy.store,
      key: copy.key,
      stored_size_bytes: copy.sizeBytes,
      stored_sha256: copy.sha256,
      state: 'present',
      created_at: now,
    });
    await updateBackup(db, backupId, {
      status: 'complete',
      completed_at: now,
      // The size of the content, which is stored unchanged.
      size_bytes: copy.sizeBytes,
      sha256: copy.sha256,
      manifest_sha256: manifestSha256,
      postgres_version: manifest.server.version,
      tables_total: manifest.tables.length,
      rows_total: manifest.tables.reduce((sum, table) => sum + table.rows, 0),
      left_out: JSON.stringify(boundLeftOut(manifest.leftOut)),
    });
  });
}
