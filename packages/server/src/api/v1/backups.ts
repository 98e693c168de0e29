import type { VerificationId } from '@flux/contract/ids';
import { ROUTES } from '@flux/contract/routes';
import { requestBackup } from '../../backups/create.ts';
import { openDownload } from '../../backups/download.ts';
import { overrideOf } from '../../backups/gate.ts';
import { readBackupItem } from '../../backups/item.ts';
import { requestDeletion, setPinned } from '../../backups/keep.ts';
import { listProjectBackups, showBackup } from '../../backups/list.ts';
import { findBackupReceipt, listProjectReceipts } from '../../backups/receipt/read.ts';
import { parseBackupSelector, selectBackup } from '../../backups/select.ts';
import { requestVerification } from '../../backups/verify/request.ts';
import { requestRestore } from '../../projects/restore.ts';
import type { BackupRouteDeps } from '../deps.ts';
import { sendDownload } from '../download.ts';
import { type Router, requireProject } from '../router.ts';
import { viewerOf } from '../viewer.ts';
import { startWork } from './start-work.ts';

/** Backups of a project, what is done with them, and the receipts of their verifications. */
export function registerBackupRoutes(router: Router, deps: BackupRouteDeps): void {
  const { db } = deps.catalog;
  router.json(ROUTES.listBackups, async ({ principal, params, query }) =>
    listProjectBackups(deps, await requireProject(deps, principal, params.hash), viewerOf(principal), query),
  );
  router.json(ROUTES.createBackup, async ({ principal, params, body }) => {
    const project = await requireProject(deps, principal, params.hash);
    return startWork(deps, await requestBackup(deps, project, principal.actor, body?.note));
  });
  router.json(ROUTES.showBackup, async ({ principal, params }) => {
    const project = await requireProject(deps, principal, params.hash);
    return showBackup(deps, project, parseBackupSelector(params.id), viewerOf(principal));
  });
  router.json(ROUTES.verifyBackup, async ({ principal, params }) => {
    const project = await requireProject(deps, principal, params.hash);
    return startWork(deps, await requestVerification(deps, project, principal.actor, parseBackupSelector(params.id)));
  });
  router.json(ROUTES.restoreBackup, async ({ principal, params, body }) => {
    const project = await requireProject(deps, principal, params.hash);
    return startWork(deps, await requestRestore(deps, project, principal, parseBackupSelector(params.id), body));
  });
  router.json(ROUTES.deleteBackup, async ({ principal, params, body }) => {
    const project = await requireProject(deps, principal, params.hash);
    const row = await selectBackup(db, project, parseBackupSelector(params.id));
    const requester = { ...principal.actor, name: principal.token.userName };
    return startWork(deps, await requestDeletion(deps, project, row, requester, overrideOf(body ?? {})));
  });
  for (const [route, pinned] of [
    [ROUTES.pinBackup, 'pinned'],
    [ROUTES.unpinBackup, 'unpinned'],
  ] as const) {
    router.json(route, async ({ principal, params }) => {
      const project = await requireProject(deps, principal, params.hash);
      const row = await selectBackup(db, project, parseBackupSelector(params.id));
      const changed = await setPinned(deps, project, row, pinned, principal.actor);
      return { backup: await readBackupItem(deps, changed, viewerOf(principal)) };
    });
  }
  router.raw(ROUTES.downloadBackup, async ({ principal, params, request, reply, signal }) => {
    const project = await requireProject(deps, principal, params.hash);
    const row = await selectBackup(db, project, parseBackupSelector(params.id));
    return sendDownload(request, reply, await openDownload(deps, project, row, signal), row.id);
  });
  router.json(ROUTES.getReceipt, async ({ principal, params, query }) => {
    const project = await requireProject(deps, principal, params.hash);
    return findBackupReceipt(db, project, parseBackupSelector(params.id), query.verification as VerificationId | undefined);
  });
  router.json(ROUTES.listReceipts, async ({ principal, params, query }) =>
    listProjectReceipts(db, await requireProject(deps, principal, params.hash), query),
  );
}
