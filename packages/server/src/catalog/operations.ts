import type { Problem } from '@flux/contract/errors';
import type { BackupId, OperationId, ProjectId, TokenId } from '@flux/contract/ids';
import type { OperationKind, OperationState, Progress } from '@flux/contract/operation';
import { type Selectable, sql } from 'kysely';
import type { Database } from './open.ts';
import type { OperationsTable } from './tables.ts';

/** An operation as the catalog holds it, with the names of its project. */
export type OperationRow = Selectable<OperationsTable> & { readonly projectHash: string; readonly projectSlug: string };

export interface NewOperation {
  readonly id: OperationId;
  readonly projectId: ProjectId;
  readonly kind: OperationKind;
  readonly backupId: BackupId | null;
  readonly requestedBy: TokenId | null;
  readonly request: object;
  readonly createdAt: Date;
}

/** Records an operation as queued. Tells false when another operation of the project is queued or running. */
export async function insertOperation(db: Database, operation: NewOperation): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('operations')
    .values({
      id: operation.id,
      project_id: operation.projectId,
      kind: operation.kind,
      state: 'queued',
      backup_id: operation.backupId,
      requested_by: operation.requestedBy,
      request: JSON.stringify(operation.request),
      progress: JSON.stringify(null) as never,
      result: JSON.stringify(null) as never,
      error: null as never,
      created_at: operation.createdAt,
    })
    .onConflict((conflict) => conflict.column('project_id').where('state', 'in', ['queued', 'running']).doNothing())
    .executeTakeFirst();
  return (numInsertedOrUpdatedRows ?? 0n) > 0n;
}

/** Takes a queued operation for a worker. Undefined when it is no longer queued: it was cancelled, or somebody else has it. */
export async function claimOperation(db: Database, id: OperationId, workerId: string, now: Date): Promise<OperationRow | undefined> {
  const claimed = await db
    .updateTable('operations')
    .set({ state: 'running', worker_id: workerId, started_at: now })
    .where('id', '=', id)
    .where('state', '=', 'queued')
    .returning('id')
    .executeTakeFirst();
  return claimed === undefined ? undefined : findOperation(db, id);
}

export async function findOperation(db: Database, id: OperationId): Promise<OperationRow | undefined> {
  return selectOperations(db).where('operations.id', '=', id).executeTakeFirst();
}

/** The operation that keeps others of this project out at the moment. */
export async function findUnfinishedOperation(db: Database, projectId: ProjectId): Promise<OperationRow | undefined> {
  return selectOperations(db)
    .where('operations.project_id', '=', projectId)
    .where('operations.state', 'in', ['queued', 'running'])
    .executeTakeFirst();
}

/** Ends an operation and tells everybody who waits. Tells false when it had ended before: the first end counts. */
export async function finishOperation(
  db: Database,
  id: OperationId,
  end: { readonly state: 'succeeded'; readonly result: object } | { readonly state: 'failed' | 'cancelled'; readonly error: Problem },
  now: Date,
): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('operations')
    .set({
      state: end.state,
      finished_at: now,
      ...(end.state === 'succeeded' ? { result: JSON.stringify(end.result) } : { error: JSON.stringify(end.error) }),
    })
    .where('id', '=', id)
    .where('state', 'in', ['queued', 'running'])
    .executeTakeFirst();
  if (numUpdatedRows === 0n) return false;
  await notify(db, 'flux_operation', id);
  return true;
}

/** Records how far an operation is, and tells everybody who waits. Nothing waits for the disk: progress that a crash takes is no loss. */
export async function recordProgress(db: Database, id: OperationId, progress: Progress): Promise<void> {
  const data = JSON.stringify(progress);
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

/**
 * Tells whether something of a project was made at that time by an operation of these kinds that did not succeed. Operations
 * of a project never overlap, so the time says which one it was.
 */
export async function wasInVain(db: Database, projectId: ProjectId, kinds: readonly OperationKind[], at: Date): Promise<boolean> {
  const found = await db
    .selectFrom('operations')
    .select('id')
    .where('project_id', '=', projectId)
    .where('kind', 'in', kinds)
    .where('state', 'in', ['failed', 'cancelled'])
    .where('started_at', '<=', at)
    .where('finished_at', '>=', at)
    .executeTakeFirst();
  return found !== undefined;
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

/** Sends a notification; it arrives when the transaction that sent it has committed. */
export async function notify(db: Database, channel: 'flux_operation' | 'flux_enqueued' | 'flux_cancel', payload: string): Promise<void> {
  await sql`select pg_notify(${channel}, ${payload})`.execute(db);
}

function selectOperations(db: Database) {
  return db
    .selectFrom('operations')
    .innerJoin('projects', 'projects.id', 'operations.project_id')
    .selectAll('operations')
    .select(['projects.hash as projectHash', 'projects.slug as projectSlug']);
}
