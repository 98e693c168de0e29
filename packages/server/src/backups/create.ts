import { Readable } from 'node:stream';
import type { BackupAnswer } from '@flux/contract/backup';
import { FluxError } from '@flux/contract/errors';
import type { BackupId, OperationId } from '@flux/contract/ids';
import { backupKindOf } from '@flux/contract/labels';
import * as z from 'zod';
import { artifactKey, manifestKey } from '../blobs/artifact-keys.ts';
import { putConfirmed, type TakeBytes } from '../blobs/put-confirmed.ts';
import type { Actor } from '../catalog/audit.ts';
import { insertBackup, updateBackup } from '../catalog/backups.ts';
import type { ProjectRow } from '../catalog/projects.ts';
import type { EngineDirectory } from '../engines/directory.ts';
import { defineOperation, type Task } from '../operations/define.ts';
import { type RequestDeps, requestOperation } from '../operations/request.ts';
import { withinTime } from '../operations/time-limit.ts';
import { type DumpSession, openDumpSession } from '../postgres/dump-session.ts';
import type { Manifest } from '../postgres/manifest.ts';
import type { PostgresPrograms } from '../postgres/programs.ts';
import { leftOutByWarnings } from '../postgres/tool-warnings.ts';
import type { Log } from '../system/log.ts';
import { uuidv7 } from '../system/uuid.ts';
import { abandonBackups } from './abandon.ts';
import { completeBackup, recordComplete, requireBackup } from './complete.ts';
import { type QuotaDeps, requireQuota } from './quota.ts';
import type { ReadingDeps } from './reading.ts';
import { inWords } from './restore/time-limit.ts';

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
  lane: 'create',
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
 * @throws FluxError `busy`, `not_ready`, `quota_reached`
 */
export async function requestBackup(
  deps: RequestDeps & QuotaDeps,
  project: ProjectRow,
  requester: Actor,
  note: string | undefined,
): Promise<OperationId> {
  if (project.lifecycle !== 'active') {
    throw new FluxError('not_ready', `${project.slug} is ${project.lifecycle}, so there is nothing to back up.`, {
      hint: 'See `flux list`.',
    });
  }
  const allowance = await requireQuota(deps, project, requester, 'backup_create');
  // Checked before a row exists: the user has to start a stopped instance; that is not a failed backup.
  const { engine, project: opened } = deps.engines.of(project);
  await engine.backupSource(opened);
  return requestOperation(deps, backupCreate, async (db, operationId) => {
    await allowance.requireStill(db);
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
  const { catalog } = deps;
  if ((await requireBackup(deps, backupId)).status !== 'complete') {
    await updateBackup(catalog.db, backupId, { status: 'running' });
    await writeArtifact(deps, project, backupId, task);
  }
  return await completeBackup(deps, backupId, task);
}

/** The backup of an operation that always has one. */
export function requireBackupId(backupId: BackupId | null): BackupId {
  if (backupId === null) throw new Error('an operation on a backup was recorded without one');
  return backupId;
}

/** @throws FluxError `dump_failed` when the time is over, and as `openDumpSession` */
function writeArtifact(deps: CreateDeps, project: ProjectRow, backupId: BackupId, given: Task): Promise<void> {
  const limitMs = deps.dumps.timeoutMs;
  const explain = (cause: unknown) =>
    new FluxError('dump_failed', `The backup has not ended within ${inWords(limitMs)}, the limit of this server, and nothing was stored.`, {
      hint: 'Look whether the database answers, and whether its server or the network is overloaded. An operator can allow more with FLUX_BACKUP_TIMEOUT; then try again with `flux backup create`.',
      cause,
    });
  return withinTime(given, limitMs, explain, (task) => writeWithin(deps, project, backupId, task));
}

async function writeWithin(deps: CreateDeps, project: ProjectRow, backupId: BackupId, task: Task): Promise<void> {
  const { signal } = task;
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
