import * as z from 'zod';
import { PageQuery } from './page.ts';

const time = z.iso.datetime().describe('UTC, ISO 8601');

/** What an operation does. */
export const OperationKind = z.enum([
  'backup_create',
  'backup_verify',
  'push',
  'backup_restore',
  'migrate',
  'nuke',
  'reset',
  'backup_delete',
  /** Removal of the undo data of a restore in place, when its time is over. */
  'undo_expire',
  /** Brings a project whose migration was cut off back to one engine. */
  'migrate_clean_up',
]);
/** What an operation does. */
export type OperationKind = z.infer<typeof OperationKind>;

/** What each kind is called at the beginning of a sentence. */
export const OPERATION_TITLES: Readonly<Record<OperationKind, string>> = {
  backup_create: 'A backup',
  backup_verify: 'A verification',
  backup_restore: 'A restore',
  backup_delete: 'A deletion',
  push: 'A push',
  migrate: 'A migration to another engine',
  migrate_clean_up: 'The clean-up of an interrupted migration',
  nuke: 'The removal',
  reset: 'A reset',
  undo_expire: 'The removal of expired undo data',
};

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

/** `GET /operations/:id`. `result` is what the synchronous route would have answered; `error` is a problem. */
export const OperationAnswer = z.object({
  id: z.string(),
  kind: OperationKind,
  state: OperationState,
  projectHash: z.string(),
  projectSlug: z.string(),
  backupId: z.string().nullable(),
  progress: Progress.nullable(),
  result: z.unknown().optional(),
  error: z.unknown().optional(),
  createdAt: time,
  startedAt: time.nullable(),
  finishedAt: time.nullable(),
});
/** `GET /operations/:id` */
export type OperationAnswer = z.infer<typeof OperationAnswer>;

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
