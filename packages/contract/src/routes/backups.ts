import * as z from 'zod';
import * as backup from '../backup.ts';
import { ENDPOINTS } from '../endpoints.ts';
import { PageQuery } from '../page.ts';
import * as project from '../project.ts';
import * as receipt from '../receipt-answer.ts';
import * as restore from '../restore.ts';
import type { Route } from '../route.ts';
import { backupParams, projectParams, started } from './parts.ts';

/** Routes of backups and of the receipts of their verifications. */
export const BACKUP_ROUTES = {
  listBackups: {
    ...ENDPOINTS.listBackups,
    summary: 'List backups, newest first',
    access: 'backup.read',
    ...projectParams,
    query: PageQuery,
    answer: backup.BackupList,
    status: 200,
  },
  createBackup: {
    ...ENDPOINTS.createBackup,
    summary: 'Create a backup',
    access: 'backup.create',
    ...projectParams,
    body: backup.CreateBackupRequest,
    ...started,
  },
  importBackup: {
    ...ENDPOINTS.importBackup,
    summary: 'Import an archive of pg_dump -Fc as a backup; the body is the file',
    access: 'backup.import',
    ...projectParams,
    query: backup.ImportBackupQuery,
    bytes: true,
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
    body: backup.VerifyRequest,
    ...started,
  },
  restoreBackup: {
    ...ENDPOINTS.restoreBackup,
    summary: 'Restore a backup: into a new project, into a database of your own, or in place',
    access: 'project.restore',
    ...backupParams,
    body: restore.RestoreRequest,
    ...started,
  },
  deleteBackup: {
    ...ENDPOINTS.deleteBackup,
    summary: 'Delete the file of a backup; the backup stays listed',
    access: 'backup.delete',
    ...backupParams,
    body: project.DestroyRequest,
    ...started,
  },
  pinBackup: {
    ...ENDPOINTS.pinBackup,
    summary: 'Pin a backup: the retention policy never expires it',
    access: 'backup.pin',
    ...backupParams,
    answer: backup.BackupAnswer,
    status: 200,
  },
  unpinBackup: {
    ...ENDPOINTS.unpinBackup,
    summary: 'Unpin a backup: the retention policy applies again',
    access: 'backup.pin',
    ...backupParams,
    answer: backup.BackupAnswer,
    status: 200,
  },
  downloadBackup: {
    ...ENDPOINTS.downloadBackup,
    summary: 'Download the artifact of a backup',
    access: 'backup.read',
    ...backupParams,
    status: 200,
  },
  getReceipt: {
    ...ENDPOINTS.getReceipt,
    summary: 'The signed receipt of a verification of a backup, by default the newest one',
    access: 'backup.read',
    ...backupParams,
    query: z.object({ verification: z.uuid().optional() }),
    answer: receipt.ReceiptEnvelope,
    status: 200,
  },
  listReceipts: {
    ...ENDPOINTS.listReceipts,
    summary: 'List the receipts of a project, newest first',
    access: 'backup.read',
    ...projectParams,
    query: PageQuery,
    answer: receipt.ReceiptList,
    status: 200,
  },
} as const satisfies Record<string, Route>;
