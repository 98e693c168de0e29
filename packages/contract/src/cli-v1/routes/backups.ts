import * as z from 'zod';
import * as backup from '../../backup.ts';
import { PageQuery } from '../../page.ts';
import * as restore from '../../restore.ts';
import type { Route } from '../../route.ts';
import * as legacyBackup from '../backup.ts';
import * as legacyProject from '../project.ts';

const hash = z.object({ hash: z.string() });
const hashAndId = z.object({ hash: z.string(), id: z.string().describe('a backup id, or `latest`') });

/** Routes of backups for existing clients. */
export const BACKUP_ROUTES = {
  listBackups: {
    method: 'GET',
    path: '/projects/:hash/backups',
    summary: 'List backups, newest first',
    access: 'backup.read',
    params: hash,
    query: PageQuery,
    answer: legacyBackup.LegacyList,
    status: 200,
  },
  createBackup: {
    method: 'POST',
    path: '/projects/:hash/backups',
    summary: 'Create a backup',
    access: 'backup.create',
    params: hash,
    body: backup.CreateBackupRequest,
    answer: legacyBackup.LegacyAnswer,
    status: 200,
  },
  showBackup: {
    method: 'GET',
    path: '/projects/:hash/backups/:id',
    summary: 'Show a backup',
    access: 'backup.read',
    params: hashAndId,
    answer: legacyBackup.LegacyDetails,
    status: 200,
  },
  verifyBackup: {
    method: 'POST',
    path: '/projects/:hash/backups/:id/verify',
    summary: 'Verify a backup by restoring it',
    access: 'backup.verify',
    params: hashAndId,
    answer: legacyBackup.VerifyAnswer,
    status: 200,
  },
  restoreBackup: {
    method: 'POST',
    path: '/projects/:hash/backups/:id/restore',
    summary: 'Restore a backup: into a new project, into a database of your own, or in place',
    access: 'project.restore',
    params: hashAndId,
    body: restore.RestoreRequest,
    answer: restore.RestoreAnswer,
    status: 200,
  },
  deleteBackup: {
    method: 'DELETE',
    path: '/projects/:hash/backups/:id',
    summary: 'Delete the file of a backup; the backup stays listed',
    access: 'backup.delete',
    params: hashAndId,
    query: legacyProject.DestroyQuery,
    answer: legacyBackup.LegacyAnswer,
    status: 200,
  },
  pinBackup: {
    method: 'POST',
    path: '/projects/:hash/backups/:id/pin',
    summary: 'Pin a backup: the retention policy never expires it',
    access: 'backup.pin',
    params: hashAndId,
    answer: legacyBackup.LegacyAnswer,
    status: 200,
  },
  unpinBackup: {
    method: 'POST',
    path: '/projects/:hash/backups/:id/unpin',
    summary: 'Unpin a backup: the retention policy applies again',
    access: 'backup.pin',
    params: hashAndId,
    answer: legacyBackup.LegacyAnswer,
    status: 200,
  },
  downloadBackup: {
    method: 'GET',
    path: '/projects/:hash/backups/:id/download',
    summary: 'Download the artifact of a backup',
    access: 'backup.read',
    params: hashAndId,
    status: 200,
  },
} as const satisfies Record<string, Route>;
