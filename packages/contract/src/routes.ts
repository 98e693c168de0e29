import * as z from 'zod';
import * as access from './access.ts';
import * as backup from './backup.ts';
import { DoctorAnswer } from './doctor.ts';
import { GateAnswer, GateQuestion } from './gate.ts';
import * as migrate from './migrate.ts';
import { OperationAnswer } from './operation.ts';
import * as project from './project.ts';
import * as restore from './restore.ts';
import { RECEIPT_ROUTES } from './routes/receipts.ts';
import type { AccessLevel } from './token.ts';

/**
 * One route: everything that validation, OpenAPI and the typed client need. Paths are below `/api/cli/v1`.
 *
 * Query and body of every route but a GET are strict objects, at every depth, and absent means that the route takes nothing: a member
 * that is ignored there may be the one that was to keep something from being changed.
 */
export interface Route {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly summary: string;
  /** The access level that a token needs. */
  readonly access: AccessLevel;
  readonly params?: z.ZodType;
  readonly query?: z.ZodType;
  readonly body?: z.ZodType;
  /** Of the body; 1 MiB where it is absent. */
  readonly maxBodyBytes?: number;
  /** Absent where the answer is no JSON. */
  readonly answer?: z.ZodType;
  readonly status: 200 | 201;
}

/** The prefix of every route of this API. */
export const API_PREFIX = '/api/cli/v1';

const hash = z.object({ hash: z.string() });
const hashAndId = z.object({ hash: z.string(), id: z.string().describe('a backup id, or `latest`') });
const id = z.object({ id: z.string() });
const ok = z.object({ ok: z.literal(true) });
const startStop = z.object({ summary: project.ProjectSummary });

/** Every JSON route. The download and the event stream are here too, without an answer schema. */
export const ROUTES = {
  verifyToken: { method: 'GET', path: '/auth/verify', summary: 'Who am I', access: 'read', answer: access.WhoAmI, status: 200 },
  listTokens: { method: 'GET', path: '/tokens', summary: 'List tokens', access: 'admin', answer: access.TokenList, status: 200 },
  createToken: {
    method: 'POST',
    path: '/tokens',
    summary: 'Create a token',
    access: 'admin',
    body: access.CreateTokenRequest,
    answer: access.CreateTokenAnswer,
    status: 201,
  },
  revokeToken: { method: 'DELETE', path: '/tokens/:id', summary: 'Revoke a token', access: 'admin', params: id, answer: ok, status: 200 },
  listAudit: {
    method: 'GET',
    path: '/audit',
    summary: 'Who did what, newest first',
    access: 'admin',
    query: z.object({ limit: z.coerce.number().int().min(1).max(1000).optional(), hash: z.string().optional() }),
    answer: access.AuditList,
    status: 200,
  },
  listProjects: {
    method: 'GET',
    path: '/list',
    summary: 'List projects',
    access: 'read',
    query: project.ListQuery,
    answer: z.array(project.ProjectSummary),
    status: 200,
  },
  createProject: {
    method: 'POST',
    path: '/create',
    summary: 'Create or attach a project',
    access: 'write',
    body: project.CreateProjectRequest,
    answer: project.CreateProjectAnswer,
    status: 201,
  },
  initProject: {
    method: 'POST',
    path: '/init',
    summary: 'Link a folder to a project, creating it when needed',
    access: 'write',
    body: project.InitRequest,
    answer: project.InitAnswer,
    status: 200,
  },
  getProject: {
    method: 'GET',
    path: '/projects/:hash',
    summary: 'Show a project',
    access: 'read',
    params: hash,
    answer: project.ProjectAnswer,
    status: 200,
  },
  askGate: {
    method: 'GET',
    path: '/projects/:hash/gate',
    summary: 'Would the newest backup allow something destructive now, and why; nothing is cleared by it',
    access: 'read',
    params: hash,
    query: GateQuestion,
    answer: GateAnswer,
    status: 200,
  },
  nukeProject: {
    method: 'DELETE',
    path: '/projects/:hash',
    summary: 'Remove a project; its backups stay',
    access: 'admin',
    params: hash,
    query: project.DestroyQuery,
    answer: project.NukeAnswer,
    status: 200,
  },
  resetProject: {
    method: 'POST',
    path: '/projects/:hash/reset',
    summary: 'Make a project empty; what was there is kept for an undo',
    access: 'admin',
    params: hash,
    body: project.ResetRequest,
    answer: project.ResetAnswer,
    status: 200,
  },
  startProject: {
    method: 'POST',
    path: '/projects/:hash/start',
    summary: 'Start the instance of a dedicated project',
    access: 'write',
    params: hash,
    answer: startStop,
    status: 200,
  },
  stopProject: {
    method: 'POST',
    path: '/projects/:hash/stop',
    summary: 'Stop the instance of a dedicated project',
    access: 'write',
    params: hash,
    answer: startStop,
    status: 200,
  },
  getCredentials: {
    method: 'GET',
    path: '/projects/:hash/credentials',
    summary: 'Connection strings and keys of a project',
    access: 'write',
    params: hash,
    answer: project.CredentialsAnswer,
    status: 200,
  },
  listMigrations: {
    method: 'GET',
    path: '/projects/:hash/migrations',
    summary: 'The migration ledger',
    access: 'read',
    params: hash,
    answer: project.MigrationsAnswer,
    status: 200,
  },
  push: {
    method: 'POST',
    path: '/push',
    // SQL files come in one piece; what is larger belongs into pg_restore.
    maxBodyBytes: 128 * 2 ** 20,
    summary: 'Run SQL in one transaction',
    access: 'write',
    body: project.PushRequest,
    answer: project.PushAnswer,
    status: 200,
  },
  listBackups: {
    method: 'GET',
    path: '/projects/:hash/backups',
    summary: 'List backups, newest first',
    access: 'read',
    params: hash,
    query: z.object({ limit: z.coerce.number().int().min(1).max(1000).optional(), cursor: z.string().optional() }),
    answer: backup.BackupList,
    status: 200,
  },
  createBackup: {
    method: 'POST',
    path: '/projects/:hash/backups',
    summary: 'Create a backup',
    access: 'write',
    params: hash,
    body: backup.CreateBackupRequest,
    answer: backup.BackupAnswer,
    status: 200,
  },
  showBackup: {
    method: 'GET',
    path: '/projects/:hash/backups/:id',
    summary: 'Show a backup',
    access: 'read',
    params: hashAndId,
    answer: backup.BackupDetails,
    status: 200,
  },
  verifyBackup: {
    method: 'POST',
    path: '/projects/:hash/backups/:id/verify',
    summary: 'Verify a backup by restoring it',
    access: 'write',
    params: hashAndId,
    answer: backup.VerifyAnswer,
    status: 200,
  },
  restoreBackup: {
    method: 'POST',
    path: '/projects/:hash/backups/:id/restore',
    summary: 'Restore a backup: into a new project, to a database of yours, or in place',
    access: 'admin',
    params: hashAndId,
    body: restore.RestoreRequest,
    answer: restore.RestoreAnswer,
    status: 200,
  },
  undoRestore: {
    method: 'POST',
    path: '/projects/:hash/undo-restore',
    summary: 'Swap back what the newest restore in place has replaced',
    access: 'admin',
    params: hash,
    answer: restore.RestoreAnswer,
    status: 200,
  },
  migrate: {
    method: 'POST',
    path: '/migrate',
    summary: 'Move a pooled project to a Postgres server of its own',
    access: 'admin',
    body: migrate.MigrateRequest,
    answer: migrate.MigrateAnswer,
    status: 200,
  },
  deleteBackup: {
    method: 'DELETE',
    path: '/projects/:hash/backups/:id',
    summary: 'Delete the file of a backup; its row stays',
    access: 'admin',
    params: hashAndId,
    query: project.DestroyQuery,
    answer: backup.BackupAnswer,
    status: 200,
  },
  pinBackup: {
    method: 'POST',
    path: '/projects/:hash/backups/:id/pin',
    summary: 'Keep a backup whatever any policy says',
    access: 'write',
    params: hashAndId,
    answer: backup.BackupAnswer,
    status: 200,
  },
  unpinBackup: {
    method: 'POST',
    path: '/projects/:hash/backups/:id/unpin',
    summary: 'Let the policy decide again',
    access: 'write',
    params: hashAndId,
    answer: backup.BackupAnswer,
    status: 200,
  },
  downloadBackup: {
    method: 'GET',
    path: '/projects/:hash/backups/:id/download',
    summary: 'Download the artifact',
    access: 'read',
    params: hashAndId,
    status: 200,
  },
  ...RECEIPT_ROUTES,
  examineServer: {
    method: 'GET',
    path: '/doctor',
    summary: 'What would stop a restore today',
    access: 'read',
    answer: DoctorAnswer,
    status: 200,
  },
  examineProject: {
    method: 'GET',
    path: '/projects/:hash/doctor',
    summary: 'What would stop a restore of a project today',
    access: 'read',
    params: hash,
    answer: DoctorAnswer,
    status: 200,
  },
  getOperation: {
    method: 'GET',
    path: '/operations/:id',
    summary: 'Show an operation',
    access: 'read',
    params: id,
    answer: OperationAnswer,
    status: 200,
  },
  watchOperation: {
    method: 'GET',
    path: '/operations/:id/events',
    summary: 'Progress of an operation as server-sent events',
    access: 'read',
    params: id,
    status: 200,
  },
  cancelOperation: {
    method: 'POST',
    path: '/operations/:id/cancel',
    summary: 'Cancel an operation',
    access: 'write',
    params: id,
    answer: OperationAnswer,
    status: 200,
  },
} as const satisfies Record<string, Route>;

/** Name of a route. */
export type RouteName = keyof typeof ROUTES;
