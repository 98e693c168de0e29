import type { ROUTES, RouteName } from './routes.ts';

/**
 * Method and path of every route, without the schemas: importing zod costs a command 20 ms, and a client needs none of it.
 * The compiler compares each line with `ROUTES`.
 */
export const PATHS = {
  verifyToken: { method: 'GET', path: '/auth/verify' },
  listTokens: { method: 'GET', path: '/tokens' },
  createToken: { method: 'POST', path: '/tokens' },
  revokeToken: { method: 'DELETE', path: '/tokens/:id' },
  listAudit: { method: 'GET', path: '/audit' },
  listProjects: { method: 'GET', path: '/list' },
  createProject: { method: 'POST', path: '/create' },
  initProject: { method: 'POST', path: '/init' },
  getProject: { method: 'GET', path: '/projects/:hash' },
  askGate: { method: 'GET', path: '/projects/:hash/gate' },
  nukeProject: { method: 'DELETE', path: '/projects/:hash' },
  resetProject: { method: 'POST', path: '/projects/:hash/reset' },
  startProject: { method: 'POST', path: '/projects/:hash/start' },
  stopProject: { method: 'POST', path: '/projects/:hash/stop' },
  getCredentials: { method: 'GET', path: '/projects/:hash/credentials' },
  listMigrations: { method: 'GET', path: '/projects/:hash/migrations' },
  push: { method: 'POST', path: '/push' },
  listBackups: { method: 'GET', path: '/projects/:hash/backups' },
  createBackup: { method: 'POST', path: '/projects/:hash/backups' },
  showBackup: { method: 'GET', path: '/projects/:hash/backups/:id' },
  verifyBackup: { method: 'POST', path: '/projects/:hash/backups/:id/verify' },
  restoreBackup: { method: 'POST', path: '/projects/:hash/backups/:id/restore' },
  undoRestore: { method: 'POST', path: '/projects/:hash/undo-restore' },
  migrate: { method: 'POST', path: '/migrate' },
  deleteBackup: { method: 'DELETE', path: '/projects/:hash/backups/:id' },
  pinBackup: { method: 'POST', path: '/projects/:hash/backups/:id/pin' },
  unpinBackup: { method: 'POST', path: '/projects/:hash/backups/:id/unpin' },
  downloadBackup: { method: 'GET', path: '/projects/:hash/backups/:id/download' },
  getReceipt: { method: 'GET', path: '/projects/:hash/backups/:id/receipt' },
  listReceipts: { method: 'GET', path: '/projects/:hash/receipts' },
  listReceiptKeys: { method: 'GET', path: '/keys' },
  rotateReceiptKey: { method: 'POST', path: '/keys/rotate' },
  examineServer: { method: 'GET', path: '/doctor' },
  examineProject: { method: 'GET', path: '/projects/:hash/doctor' },
  getOperation: { method: 'GET', path: '/operations/:id' },
  watchOperation: { method: 'GET', path: '/operations/:id/events' },
  cancelOperation: { method: 'POST', path: '/operations/:id/cancel' },
} as const satisfies { readonly [Name in RouteName]?: Pick<(typeof ROUTES)[Name], 'method' | 'path'> };

/** Name of a route that the client can call. */
export type CallName = keyof typeof PATHS;
