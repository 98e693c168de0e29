import type { Endpoint } from './route.ts';

/** Prefix of our own API. */
export const API_PREFIX = '/api/v1';

/**
 * Method and path of every route, below `/api/v1`. They are separate from the schemas that `routes.ts` adds, because a client
 * does not need those, and importing zod would add 20 ms to each command.
 */
export const ENDPOINTS = {
  whoAmI: { method: 'GET', path: '/me' },
  listTokens: { method: 'GET', path: '/tokens' },
  createToken: { method: 'POST', path: '/tokens' },
  revokeToken: { method: 'DELETE', path: '/tokens/:id' },
  listAudit: { method: 'GET', path: '/audit' },
  examineServer: { method: 'GET', path: '/doctor' },

  listProjects: { method: 'GET', path: '/projects' },
  createProject: { method: 'POST', path: '/projects' },
  linkProject: { method: 'POST', path: '/projects/link' },
  showProject: { method: 'GET', path: '/projects/:hash' },
  attachProject: { method: 'POST', path: '/projects/:hash/attach' },
  setProject: { method: 'POST', path: '/projects/:hash/settings' },
  getQuota: { method: 'GET', path: '/projects/:hash/quota' },
  setQuota: { method: 'POST', path: '/projects/:hash/quota' },
  startProject: { method: 'POST', path: '/projects/:hash/start' },
  stopProject: { method: 'POST', path: '/projects/:hash/stop' },
  getCredentials: { method: 'GET', path: '/projects/:hash/credentials' },
  examineProject: { method: 'GET', path: '/projects/:hash/doctor' },
  askGate: { method: 'GET', path: '/projects/:hash/gate' },
  push: { method: 'POST', path: '/projects/:hash/push' },
  listMigrations: { method: 'GET', path: '/projects/:hash/migrations' },
  listExtensions: { method: 'GET', path: '/projects/:hash/extensions' },
  enableExtension: { method: 'POST', path: '/projects/:hash/extensions' },
  planMigration: { method: 'POST', path: '/projects/:hash/migration/plan' },
  migrate: { method: 'POST', path: '/projects/:hash/migration' },
  resetProject: { method: 'POST', path: '/projects/:hash/reset' },
  undoRestore: { method: 'POST', path: '/projects/:hash/undo-restore' },
  nukeProject: { method: 'POST', path: '/projects/:hash/nuke' },

  listBackups: { method: 'GET', path: '/projects/:hash/backups' },
  createBackup: { method: 'POST', path: '/projects/:hash/backups' },
  importBackup: { method: 'POST', path: '/projects/:hash/backups/import' },
  showBackup: { method: 'GET', path: '/projects/:hash/backups/:id' },
  verifyBackup: { method: 'POST', path: '/projects/:hash/backups/:id/verify' },
  restoreBackup: { method: 'POST', path: '/projects/:hash/backups/:id/restore' },
  deleteBackup: { method: 'POST', path: '/projects/:hash/backups/:id/delete' },
  pinBackup: { method: 'POST', path: '/projects/:hash/backups/:id/pin' },
  unpinBackup: { method: 'POST', path: '/projects/:hash/backups/:id/unpin' },
  downloadBackup: { method: 'GET', path: '/projects/:hash/backups/:id/download' },
  getReceipt: { method: 'GET', path: '/projects/:hash/backups/:id/receipt' },
  listReceipts: { method: 'GET', path: '/projects/:hash/receipts' },
  listReceiptKeys: { method: 'GET', path: '/keys' },
  rotateReceiptKey: { method: 'POST', path: '/keys/rotate' },

  listOperations: { method: 'GET', path: '/operations' },
  getOperation: { method: 'GET', path: '/operations/:id' },
  watchOperation: { method: 'GET', path: '/operations/:id/events' },
  cancelOperation: { method: 'POST', path: '/operations/:id/cancel' },
} as const satisfies Record<string, Endpoint>;

/** Name of a route. */
export type RouteName = keyof typeof ENDPOINTS;

/** The kind of operation that a route starts; its answer is 202 with the operation. */
export const STARTS = {
  createBackup: 'backup_create',
  importBackup: 'backup_import',
  verifyBackup: 'backup_verify',
  restoreBackup: 'backup_restore',
  undoRestore: 'backup_restore',
  deleteBackup: 'backup_delete',
  resetProject: 'reset',
  migrate: 'migrate',
  nukeProject: 'nuke',
} as const satisfies { readonly [Name in RouteName]?: string };

/** Name of a route that starts an operation. */
export type OperationRoute = keyof typeof STARTS;
