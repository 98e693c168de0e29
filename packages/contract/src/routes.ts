import * as z from 'zod';
import * as access from './access.ts';
import * as backup from './backup.ts';
import { DoctorAnswer } from './doctor.ts';
import { ENDPOINTS, type RouteName } from './endpoints.ts';
import { GateAnswer, GateQuestion } from './gate.ts';
import * as migrate from './migrate.ts';
import * as operation from './operation.ts';
import { PageQuery } from './page.ts';
import * as project from './project.ts';
import * as receipt from './receipt-answer.ts';
import * as restore from './restore.ts';
import type { Route } from './route.ts';

const params = { params: z.object({ hash: z.string() }) };
const backupParams = { params: z.object({ hash: z.string(), id: z.string().describe('a backup id, or `latest`') }) };
const idParams = { params: z.object({ id: z.string() }) };
const projectAnswer = z.object({ project: project.ProjectSummary });
/** Long work: it goes on after the answer, which says where to follow it. */
const started = { answer: operation.OperationAnswer, status: 202 } as const;

const ACCOUNT_ROUTES = {
  whoAmI: { ...ENDPOINTS.whoAmI, summary: 'Who am I', access: 'account.read', answer: access.WhoAmI, status: 200 },
  listTokens: {
    ...ENDPOINTS.listTokens,
    summary: 'List tokens, newest first',
    access: 'token.list',
    query: PageQuery,
    answer: access.TokenList,
    status: 200,
  },
  createToken: {
    ...ENDPOINTS.createToken,
    summary: 'Create a token',
    access: 'token.create',
    body: access.CreateTokenRequest,
    answer: access.CreateTokenAnswer,
    status: 201,
  },
  revokeToken: {
    ...ENDPOINTS.revokeToken,
    summary: 'Revoke a token',
    access: 'token.revoke',
    ...idParams,
    answer: z.object({ id: z.string() }),
    status: 200,
  },
  listAudit: {
    ...ENDPOINTS.listAudit,
    summary: 'Who did what, newest first',
    access: 'audit.read',
    query: access.AuditQuery,
    answer: access.AuditList,
    status: 200,
  },
  examineServer: {
    ...ENDPOINTS.examineServer,
    summary: 'What would stop a restore today',
    access: 'server.examine',
    answer: DoctorAnswer,
    status: 200,
  },
  listReceiptKeys: {
    ...ENDPOINTS.listReceiptKeys,
    summary: 'Public keys of receipts; without a token at /.well-known/flux-receipt-keys.json',
    access: 'key.read',
    answer: receipt.ReceiptKeySet,
    status: 200,
  },
  rotateReceiptKey: {
    ...ENDPOINTS.rotateReceiptKey,
    summary: 'Sign with a new key from now on; the old one stays published',
    access: 'key.rotate',
    answer: receipt.ReceiptKeySet,
    status: 200,
  },
} as const satisfies Record<string, Route>;

const PROJECT_ROUTES = {
  listProjects: {
    ...ENDPOINTS.listProjects,
    summary: 'List projects by slug; removed ones by newest removal',
    access: 'project.list',
    query: project.ListProjectsQuery,
    answer: project.ProjectList,
    status: 200,
  },
  createProject: {
    ...ENDPOINTS.createProject,
    summary: 'Create or attach a project',
    access: 'project.create',
    body: project.CreateProjectRequest,
    answer: projectAnswer,
    status: 201,
  },
  linkProject: {
    ...ENDPOINTS.linkProject,
    summary: 'The project with this name, created when there is none',
    access: 'project.link',
    body: project.LinkRequest,
    answer: project.LinkAnswer,
    status: 200,
  },
  showProject: {
    ...ENDPOINTS.showProject,
    summary: 'Show a project',
    access: 'project.read',
    ...params,
    answer: project.ProjectAnswer,
    status: 200,
  },
  startProject: {
    ...ENDPOINTS.startProject,
    summary: 'Start the instance of a dedicated project',
    access: 'project.power',
    ...params,
    answer: projectAnswer,
    status: 200,
  },
  stopProject: {
    ...ENDPOINTS.stopProject,
    summary: 'Stop the instance of a dedicated project',
    access: 'project.power',
    ...params,
    answer: projectAnswer,
    status: 200,
  },
  getCredentials: {
    ...ENDPOINTS.getCredentials,
    summary: 'Connection strings and keys of a project',
    access: 'project.credentials',
    ...params,
    answer: project.CredentialsAnswer,
    status: 200,
  },
  examineProject: {
    ...ENDPOINTS.examineProject,
    summary: 'What would stop a restore of a project today',
    access: 'project.read',
    ...params,
    answer: DoctorAnswer,
    status: 200,
  },
  askGate: {
    ...ENDPOINTS.askGate,
    summary: 'Would the newest backup allow something destructive now, and why; nothing is cleared by it',
    access: 'project.read',
    ...params,
    query: GateQuestion,
    answer: GateAnswer,
    status: 200,
  },
  push: {
    ...ENDPOINTS.push,
    // SQL files come in one piece; what is larger belongs into pg_restore.
    maxBodyBytes: 128 * 2 ** 20,
    summary: 'Run SQL in one transaction',
    access: 'project.push',
    ...params,
    body: project.PushRequest,
    answer: project.PushAnswer,
    status: 200,
  },
  listMigrations: {
    ...ENDPOINTS.listMigrations,
    summary: 'The migration ledger',
    access: 'project.read',
    ...params,
    query: PageQuery,
    answer: project.MigrationList,
    status: 200,
  },
  planMigration: {
    ...ENDPOINTS.planMigration,
    summary: 'What a move to a Postgres server of its own would do, and what is in its way; changes nothing',
    access: 'project.migrate',
    ...params,
    body: migrate.PlanMigrationRequest,
    answer: migrate.MigrateAnswer,
    status: 200,
  },
  migrate: {
    ...ENDPOINTS.migrate,
    summary: 'Move a pooled project to a Postgres server of its own',
    access: 'project.migrate',
    ...params,
    body: migrate.MigrateRequest,
    ...started,
  },
  resetProject: {
    ...ENDPOINTS.resetProject,
    summary: 'Make a project empty; what was there is kept for an undo',
    access: 'project.reset',
    ...params,
    body: project.DestroyRequest,
    ...started,
  },
  undoRestore: {
    ...ENDPOINTS.undoRestore,
    summary: 'Swap back what the newest restore in place has replaced',
    access: 'project.restore',
    ...params,
    ...started,
  },
  nukeProject: {
    ...ENDPOINTS.nukeProject,
    summary: 'Remove a project; its backups stay',
    access: 'project.nuke',
    ...params,
    body: project.DestroyRequest,
    ...started,
  },
} as const satisfies Record<string, Route>;

const BACKUP_ROUTES = {
  listBackups: {
    ...ENDPOINTS.listBackups,
    summary: 'List backups, newest first',
    access: 'backup.read',
    ...params,
    query: PageQuery,
    answer: backup.BackupList,
    status: 200,
  },
  createBackup: {
    ...ENDPOINTS.createBackup,
    summary: 'Create a backup',
    access: 'backup.create',
    ...params,
    body: backup.CreateBackupRequest,
    ...started,
  },
  showBackup: {
    ...ENDPOINTS.showBackup,
    summary: 'Show a backup',
    access: 'backup.read',
    ...backupParams,
    answer: backup.BackupDetails,
    status: 200,
  },
  verifyBackup: {
    ...ENDPOINTS.verifyBackup,
    summary: 'Verify a backup by restoring it',
    access: 'backup.verify',
    ...backupParams,
    ...started,
  },
  restoreBackup: {
    ...ENDPOINTS.restoreBackup,
    summary: 'Restore a backup: into a new project, to a database of yours, or in place',
    access: 'project.restore',
    ...backupParams,
    body: restore.RestoreRequest,
    ...started,
  },
  deleteBackup: {
    ...ENDPOINTS.deleteBackup,
    summary: 'Delete the file of a backup; its row stays',
    access: 'backup.delete',
    ...backupParams,
    body: project.DestroyRequest,
    ...started,
  },
  pinBackup: {
    ...ENDPOINTS.pinBackup,
    summary: 'Keep a backup whatever any policy says',
    access: 'backup.pin',
    ...backupParams,
    answer: backup.BackupAnswer,
    status: 200,
  },
  unpinBackup: {
    ...ENDPOINTS.unpinBackup,
    summary: 'Let the policy decide again',
    access: 'backup.pin',
    ...backupParams,
    answer: backup.BackupAnswer,
    status: 200,
  },
  downloadBackup: {
    ...ENDPOINTS.downloadBackup,
    summary: 'Download the artifact',
    access: 'backup.read',
    ...backupParams,
    status: 200,
  },
  getReceipt: {
    ...ENDPOINTS.getReceipt,
    summary: 'The signed receipt of the newest verification of a backup, or of a certain one',
    access: 'backup.read',
    ...backupParams,
    query: z.object({ verification: z.uuid().optional() }),
    answer: receipt.ReceiptEnvelope,
    status: 200,
  },
  listReceipts: {
    ...ENDPOINTS.listReceipts,
    summary: 'The chain of receipts of a project, newest first',
    access: 'backup.read',
    ...params,
    query: PageQuery,
    answer: receipt.ReceiptList,
    status: 200,
  },
} as const satisfies Record<string, Route>;

const OPERATION_ROUTES = {
  listOperations: {
    ...ENDPOINTS.listOperations,
    summary: 'List operations, newest first',
    access: 'operation.list',
    query: operation.ListOperationsQuery,
    answer: operation.OperationList,
    status: 200,
  },
  getOperation: {
    ...ENDPOINTS.getOperation,
    summary: 'Show an operation',
    access: 'operation.read',
    ...idParams,
    answer: operation.OperationAnswer,
    status: 200,
  },
  watchOperation: {
    ...ENDPOINTS.watchOperation,
    summary: 'Progress of an operation as server-sent events',
    access: 'operation.read',
    ...idParams,
    status: 200,
  },
  cancelOperation: {
    ...ENDPOINTS.cancelOperation,
    summary: 'Cancel an operation',
    access: 'operation.cancel',
    ...idParams,
    answer: operation.OperationAnswer,
    status: 200,
  },
} as const satisfies Record<string, Route>;

/** Every route of our own API. The download and the event stream are here too, without an answer schema. */
export const ROUTES = {
  ...ACCOUNT_ROUTES,
  ...PROJECT_ROUTES,
  ...BACKUP_ROUTES,
  ...OPERATION_ROUTES,
} as const satisfies Record<RouteName, Route>;
