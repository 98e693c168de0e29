import type { BackupDetails, BackupItem, BackupList } from '@flux/contract/backup';
import type { BackupId, OperationId, VerificationId } from '@flux/contract/ids';
import type { PageQuery } from '@flux/contract/page';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Principal, requireAllowed, requireLevel } from '../access/policy.ts';
import { requestBackup } from '../backups/create.ts';
import { openDownload } from '../backups/download.ts';
import { readBackupItem } from '../backups/item.ts';
import { requestDeletion, setPinned } from '../backups/keep.ts';
import { listProjectBackups, showBackup } from '../backups/list.ts';
import { overrideOf } from '../backups/override.ts';
import { findBackupReceipt, listProjectReceipts } from '../backups/receipt/read.ts';
import { parseBackupSelector, selectBackup } from '../backups/select.ts';
import { requestVerification } from '../backups/verify/request.ts';
import { recordAudit } from '../catalog/audit.ts';
import type { BackupRow } from '../catalog/backups.ts';
import type { ProjectRow } from '../catalog/projects.ts';
import { requireSuperuserRequest } from '../projects/restore/as-superuser.ts';
import { requestRestore } from '../projects/restore.ts';
import type { BackupRouteDeps } from './deps.ts';
import { sendDownload } from './download.ts';
import { requireProject } from './router.ts';
import { viewerOf } from './viewer.ts';

/** A request about the backups of a project. */
interface ProjectCall {
  readonly principal: Principal;
  readonly params: { readonly hash: string };
}
/** A request about one backup; `id` may be `latest`. */
interface BackupCall {
  readonly principal: Principal;
  readonly params: { readonly hash: string; readonly id: string };
}

/** The use cases of backups, as routes of both APIs call them. Each API converts the results to its own shapes. */
export interface BackupRequests {
  list(call: ProjectCall, page: PageQuery): Promise<BackupList>;
  show(call: BackupCall): Promise<BackupDetails>;
  create(call: ProjectCall, note: string | undefined): Promise<OperationId>;
  /** @param timeLimitMs instead of what follows from the size; only an admin of the server may give one */
  verify(call: BackupCall, timeLimitMs?: number): Promise<OperationId>;
  restore(call: BackupCall, body: Parameters<typeof requestRestore>[4]): Promise<OperationId>;
  delete(
    call: BackupCall,
    override: Parameters<typeof overrideOf>[0],
  ): Promise<{ readonly operation: OperationId; readonly backup: BackupId }>;
  pin(call: BackupCall, state: 'pinned' | 'unpinned'): Promise<BackupItem>;
  /** Sends the artifact. */
  download(
    call: BackupCall & { readonly request: FastifyRequest; readonly reply: FastifyReply; readonly signal: AbortSignal },
  ): ReturnType<typeof sendDownload>;
  /** @param verification the newest one of the backup when absent */
  receipt(call: BackupCall, verification: string | undefined): ReturnType<typeof findBackupReceipt>;
  receipts(call: ProjectCall, page: PageQuery): ReturnType<typeof listProjectReceipts>;
}

/** Creates the use cases. Each throws `project_not_found` or `backup_not_found` for what the principal may not see. */
export function createBackupRequests(deps: BackupRouteDeps): BackupRequests {
  const { db } = deps.catalog;
  const projectOf = ({ principal, params }: ProjectCall): Promise<ProjectRow> => requireProject(deps, principal, params.hash);
  const select = async (call: BackupCall): Promise<{ readonly project: ProjectRow; readonly row: BackupRow }> => {
    const project = await projectOf(call);
    return { project, row: await selectBackup(db, project, parseBackupSelector(call.params.id)) };
  };
  return {
    list: async (call, page) => listProjectBackups(deps, await projectOf(call), viewerOf(call.principal), page),
    show: async (call) => showBackup(deps, await projectOf(call), parseBackupSelector(call.params.id), viewerOf(call.principal)),
    create: async (call, note) => requestBackup(deps, await projectOf(call), call.principal.actor, note),
    async verify(call, timeLimitMs) {
      if (timeLimitMs !== undefined) requireAllowed(call.principal, 'backup.verify_longer');
      return requestVerification(deps, await projectOf(call), call.principal.actor, {
        selector: parseBackupSelector(call.params.id),
        timeLimitMs,
      });
    },
    restore: async (call, body) => {
      requireSuperuserRequest(deps.restoreAsSuperuser, call.principal, body ?? {});
      return requestRestore(deps, await projectOf(call), call.principal, parseBackupSelector(call.params.id), body);
    },
    async delete(call, override) {
      const { project, row } = await select(call);
      const requester = { ...call.principal.actor, name: call.principal.token.userName };
      return { operation: await requestDeletion(deps, project, row, requester, overrideOf(override)), backup: row.id };
    },
    async pin(call, state) {
      const { project, row } = await select(call);
      const changed = await setPinned(deps, project, row, state, call.principal.actor);
      return readBackupItem(deps, changed, viewerOf(call.principal));
    },
    async download(call) {
      requireLevel(call.principal, deps.downloadAccess, 'a download');
      const { project, row } = await select(call);
      const begin = (bytes: object) =>
        recordAudit(db, call.principal.actor, { action: 'backup.download', projectId: project.id, subject: row.id, details: { bytes } });
      const about = { backupId: row.id, tokenId: call.principal.token.id };
      return sendDownload(call.request, call.reply, await openDownload(deps, project, row, call.signal), about, begin);
    },
    receipt: async (call, verification) =>
      findBackupReceipt(db, await projectOf(call), parseBackupSelector(call.params.id), verification as VerificationId | undefined),
    receipts: async (call, page) => listProjectReceipts(db, await projectOf(call), page),
  };
}
