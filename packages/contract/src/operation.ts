import * as z from 'zod';
import { ERROR_KINDS, type ErrorCode, type Problem } from './errors.ts';
import { OperationKind } from './operation-kind.ts';
import { OPERATION_RESULTS, type OperationResult } from './operation-results.ts';
import { PageQuery } from './page.ts';

const time = z.iso.datetime().describe('UTC, ISO 8601');

/** State of an operation; the last three are final. */
export const OperationState = z.enum(['queued', 'running', 'succeeded', 'failed', 'cancelled']);
/** State of an operation; the last three are final. */
export type OperationState = z.infer<typeof OperationState>;

/** How far an operation is. `done` and `total` count `unit`s; `total` is an estimate. */
export const Progress = z.object({
  phase: z.string(),
  message: z.string(),
  done: z.number().optional(),
  total: z.number().optional(),
  unit: z.enum(['bytes', 'rows', 'tables', 'steps']).optional(),
});
/** How far an operation is. */
export type Progress = z.infer<typeof Progress>;

/** The error of an operation that failed or was cancelled. */
export const OperationProblem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.number().int(),
  detail: z.string(),
  error: z.string(),
  code: z.literal(Object.keys(ERROR_KINDS) as ErrorCode[]),
  hint: z.string().optional(),
  requestId: z.string().optional(),
  details: z.record(z.string(), z.unknown()).optional(),
}) satisfies z.ZodType<Problem>;

/** The members that operations of every kind have. */
export const OPERATION_MEMBERS = {
  id: z.string(),
  state: OperationState,
  projectHash: z.string(),
  projectSlug: z.string(),
  backupId: z.string().nullable(),
  progress: Progress.nullable(),
  error: OperationProblem.optional(),
  createdAt: time,
  startedAt: time.nullable(),
  finishedAt: time.nullable(),
};
interface OperationMembers extends z.infer<z.ZodObject<typeof OPERATION_MEMBERS>> {}

/** An operation of one kind. `result` is present once it has succeeded. */
export interface Operation<K extends OperationKind> extends OperationMembers {
  kind: K;
  result?: OperationResult<K> | undefined;
}

const answerOf = <K extends OperationKind>(kind: K) =>
  z.object({ ...OPERATION_MEMBERS, kind: z.literal(kind), result: z.optional(OPERATION_RESULTS[kind]) });

/** `GET /operations/:id`. Its kind decides the type of its `result`. */
export const OperationAnswer = z.discriminatedUnion('kind', [
  answerOf('backup_create'),
  answerOf('backup_import'),
  answerOf('backup_verify'),
  answerOf('backup_restore'),
  answerOf('backup_delete'),
  answerOf('push'),
  answerOf('migrate'),
  answerOf('migrate_clean_up'),
  answerOf('nuke'),
  answerOf('reset'),
  answerOf('undo_expire'),
]) satisfies z.ZodType<AnyOperation>;
/** An operation of any kind: switch on `kind` to read its result. */
export type OperationAnswer = AnyOperation;
type AnyOperation = { [K in OperationKind]: Operation<K> }[OperationKind];

/** `GET /operations`: of one project, of one kind, in one state; newest first. */
export const ListOperationsQuery = PageQuery.extend({
  project: z.string().optional().describe('hash of a project'),
  kind: OperationKind.optional(),
  state: OperationState.optional(),
});

/** `GET /operations` */
export const OperationList = z.object({ operations: z.array(OperationAnswer), nextCursor: z.string().nullable() });

/** Data of one server-sent event of `GET /operations/:id/events`; its SSE id is the sequence number, its name the kind. */
export type OperationEvent =
  | { readonly kind: 'progress'; readonly seq: number; readonly at: string; readonly progress: Progress }
  | { readonly kind: 'state'; readonly seq: number; readonly at: string; readonly operation: OperationAnswer };
