import type { Problem } from '@flux/contract/errors';
import type { BackupId, OperationId, ProjectId, TokenId } from '@flux/contract/ids';
import type { OperationState, Progress } from '@flux/contract/operation';
import type { OperationKind } from '@flux/contract/operation-kind';
import { type Selectable, sql } from 'kysely';
import type { Database, DatabaseTransaction } from './open.ts';
import type { Visibility } from './projects.ts';
import { toStoredJson } from './stored-json.ts';
import type { OperationsTable, SlowerPace } from './tables.ts';

/**
 * One run of an operation: whose it is, and since when; nulls for one that waits. The worker alone does not tell, since it may have given the
 * operation back and have it again.
 */
export type OperationRun = Pick<Selectable<OperationsTable>, 'id' | 'worker_id' | 'started_at'>;

/** A row of `operations`, with the names of its project. */
export type OperationRow = Selectable<OperationsTable> & { readonly projectHash: string; readonly projectSlug: string };

export interface NewOperation {
  readonly id: OperationId;
  readonly projectId: ProjectId;
  readonly kind: OperationKind;
  readonly touches: OperationsTable['touches'];
  readonly backupId: BackupId | null;
  readonly requestedBy: TokenId | null;
  readonly request: object;
  readonly createdAt: Date;
  /** The worker that runs it from the start; null for one that waits for a worker. */
  readonly workerId: string | null;
}

/** Records an operation. Tells false when another one touches the same thing. */
export async function insertOperation(db: Database, operation: NewOperation): Promise<boolean> {
  const { workerId } = operation;
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('operations')
    .values({
      id: operation.id,
      project_id: operation.projectId,
      kind: operation.kind,
      touches: operation.touches,
      ...(workerId === null
        ? { state: 'queued' }
        : { state: 'running', worker_id: workerId, started_at: operation.createdAt, attempts: 1 }),
      backup_id: operation.backupId,
      requested_by: operation.requestedBy,
      request: toStoredJson(operation.request),
      created_at: operation.createdAt,
    })
    // Its id is new, so what it can conflict with is the exclusion.
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst();
  return (numInsertedOrUpdatedRows ?? 0n) > 0n;
}

/** Takes a queued operation for a worker. Undefined when it is no longer queued: it was cancelled, or somebody else has it. */
export async function claimOperation(db: Database, id: OperationId, workerId: string, now: Date): Promise<OperationRow | undefined> {
  const claimed = await db
    .updateTable('operations')
    .set({ state: 'running', worker_id: workerId, started_at: now, attempts: sql`attempts + 1` })
    .where('id', '=', id)
    .where('state', '=', 'queued')
    .returning('id')
    .executeTakeFirst();
  const row = claimed === undefined ? undefined : await findOperation(db, id);
  // Somebody who took this worker for dead may have claimed it since: that is another run.
  return row === undefined ? undefined : { ...row, worker_id: workerId, started_at: now };
}

/** Gives a running operation back to the queue. Tells false when that run is over. */
export async function requeueOperation(
  db: DatabaseTransaction,
  run: OperationRun,
  { counts, pace }: { readonly counts: 'as an attempt' | 'not'; readonly pace?: SlowerPace | undefined },
): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('operations')
    .set({
      state: 'queued',
      worker_id: null,
      started_at: null,
      ...(counts === 'not' ? { attempts: sql`greatest(attempts - 1, 0)` } : {}),
      ...(pace === undefined ? {} : { pace }),
    })
    .where('state', '=', 'running')
    .where(isRun(run))
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

export async function findOperation(db: Database, id: OperationId): Promise<OperationRow | undefined> {
  return selectOperations(db).where('operations.id', '=', id).executeTakeFirst();
}

/** The unfinished operation that touches the same project or backup; undefined when it has just ended. */
export async function findOperationInTheWay(
  db: Database,
  projectId: ProjectId,
  touches: OperationsTable['touches'],
  backupId: BackupId | null,
): Promise<OperationRow | undefined> {
  return selectOperations(db)
    .where('operations.touches', '=', touches)
    .where(touches === 'project' ? 'operations.project_id' : 'operations.backup_id', '=', touches === 'project' ? projectId : backupId)
    .where('operations.state', 'in', ['queued', 'running'])
    .executeTakeFirst();
}

/** How an operation ended. */
export type OperationEnd =
  | { readonly state: 'succeeded'; readonly result: object }
  | { readonly state: 'failed' | 'cancelled'; readonly error: Problem };

/**
 * Tells whether a run of an operation goes on, and keeps it so until the transaction has ended: nobody takes it for that of a dead worker
 * in between.
 */
export async function holdOperation(db: DatabaseTransaction, run: OperationRun): Promise<boolean> {
  const held = await db
    .selectFrom('operations')
    .select('id')
    .where('state', '=', 'running')
    .where(isRun(run))
    .forNoKeyUpdate()
    .executeTakeFirst();
  return held !== undefined;
}

/**
 * Ends an operation, leaves word of it in the outbox and tells everybody who waits. Tells false when that run of it is over, or it no longer
 * waits for one: it had ended before, or somebody has it now.
 */
export async function endOperation(db: DatabaseTransaction, run: OperationRun, end: OperationEnd, now: Date): Promise<boolean> {
  const ended = await db
    .updateTable('operations')
    .set({
      state: end.state,
      finished_at: now,
      ...(end.state === 'succeeded' ? { result: toStoredJson(end.result) } : { error: toStoredJson(end.error) }),
    })
    .where('state', '=', run.worker_id === null ? 'queued' : 'running')
    .where(isRun(run))
    .returning(['project_id', 'kind', 'backup_id'])
    .executeTakeFirst();
  if (ended === undefined) return false;
  const code = end.state === 'succeeded' ? null : end.error.code;
  await db
    .insertInto('outbox')
    .values({
      at: now,
      topic: 'operation_ended',
      project_id: ended.project_id,
      operation_id: run.id,
      payload: toStoredJson({ kind: ended.kind, state: end.state, backupId: ended.backup_id, code }),
    })
    .execute();
  await notify(db, 'flux_operation', run.id);
  return true;
}

/** Records how far an operation is, and tells everybody who waits. Nothing waits for the disk: progress that a crash takes is no loss. */
export async function recordProgress(db: Database, id: OperationId, progress: Progress): Promise<void> {
  const data = toStoredJson(progress);
  await sql`
    with updated as (
      update operations set progress = ${data}::jsonb where id = ${id} and state = 'running' returning id
    ), inserted as (
      insert into operation_events (operation_id, seq, kind, data)
      select id, coalesce((select max(seq) from operation_events where operation_id = ${id}), 0) + 1, 'progress', ${data}::jsonb from updated
      on conflict do nothing
    )
    select pg_notify('flux_operation', ${id}), set_config('synchronous_commit', 'off', true)`.execute(db);
}

export interface OperationEventRow {
  readonly seq: number;
  readonly at: Date;
  readonly data: object;
}

/** Progress of an operation after a sequence number, oldest first. */
export async function listProgress(db: Database, id: OperationId, afterSeq: number): Promise<readonly OperationEventRow[]> {
  return db
    .selectFrom('operation_events')
    .select(['seq', 'at', 'data'])
    .where('operation_id', '=', id)
    .where('seq', '>', afterSeq)
    .orderBy('seq')
    .limit(500)
    .execute();
}

/** Asks for the end of an operation. Tells its state before. */
export async function requestCancel(db: Database, id: OperationId, now: Date): Promise<OperationState | undefined> {
  const row = await db
    .updateTable('operations')
    .set({ cancel_requested_at: now })
    .where('id', '=', id)
    .returning('state')
    .executeTakeFirst();
  if (row?.state === 'running') await notify(db, 'flux_cancel', id);
  return row?.state;
}

/** Unfinished operations with the lock key of their worker; null while queued. */
export async function listUnfinishedOperations(db: Database): Promise<readonly (OperationRow & { readonly lockKey: number | null })[]> {
  return selectOperations(db)
    .leftJoin('workers', 'workers.id', 'operations.worker_id')
    .select('workers.lock_key as lockKey')
    .where('operations.state', 'in', ['queued', 'running'])
    .orderBy('operations.created_at')
    .execute();
}

/** Which operations a list is about; what is undefined does not narrow it. */
export interface OperationFilter {
  readonly projectId?: ProjectId | undefined;
  readonly kind?: OperationKind | undefined;
  readonly state?: OperationState | undefined;
}

/** Operations on projects that somebody may see, newest first: their ids sort by creation. `before` is the last id of the page before. */
export async function listVisibleOperations(
  db: Database,
  { ownerId, only }: Visibility,
  { projectId, kind, state }: OperationFilter,
  page: { readonly limit: number; readonly before?: OperationId | undefined },
): Promise<readonly OperationRow[]> {
  if (only?.length === 0) return [];
  let query = selectOperations(db).where('projects.owner_id', '=', ownerId);
  if (only !== null) query = query.where('projects.id', 'in', only);
  if (projectId !== undefined) query = query.where('operations.project_id', '=', projectId);
  if (kind !== undefined) query = query.where('operations.kind', '=', kind);
  if (state !== undefined) query = query.where('operations.state', '=', state);
  if (page.before !== undefined) query = query.where('operations.id', '<', page.before);
  return query.orderBy('operations.id', 'desc').limit(page.limit).execute();
}

/** Sends a notification; it arrives when the transaction that sent it has committed. */
export async function notify(db: Database, channel: 'flux_operation' | 'flux_enqueued' | 'flux_cancel', payload: string): Promise<void> {
  await sql`select pg_notify(${channel}, ${payload})`.execute(db);
}

/** Matches the row of an operation while it is in that run. What JavaScript has read of a time ends with its milliseconds. */
function isRun({ id, worker_id, started_at }: OperationRun) {
  return sql<boolean>`operations.id = ${id} and operations.worker_id is not distinct from ${worker_id}
    and date_trunc('milliseconds', operations.started_at) is not distinct from ${started_at}::timestamptz`;
}

function selectOperations(db: Database) {
  return db
    .selectFrom('operations')
    .innerJoin('projects', 'projects.id', 'operations.project_id')
    .selectAll('operations')
    .select(['projects.hash as projectHash', 'projects.slug as projectSlug']);
}
