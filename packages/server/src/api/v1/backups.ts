import { ROUTES } from '@flux/contract/routes';
import { createBackupRequests } from '../backup-requests.ts';
import type { BackupRouteDeps } from '../deps.ts';
import type { Router } from '../router.ts';
import { startWork } from './start-work.ts';

/** Routes of backups and of the receipts of their verifications. */
export function registerBackupRoutes(router: Router, deps: BackupRouteDeps): void {
  const backups = createBackupRequests(deps);
  router.json(ROUTES.listBackups, async (call) => backups.list(call, call.query));
  router.json(ROUTES.createBackup, async (call) => startWork(deps, await backups.create(call, call.body?.note)));
  router.json(ROUTES.showBackup, async (call) => backups.show(call));
  router.json(ROUTES.verifyBackup, async (call) => startWork(deps, await backups.verify(call, call.body?.timeLimitMs)));
  router.json(ROUTES.restoreBackup, async (call) => startWork(deps, await backups.restore(call, call.body)));
  router.json(ROUTES.deleteBackup, async (call) => {
    const { operation } = await backups.delete(call, call.body ?? {});
    return startWork(deps, operation);
  });
  router.json(ROUTES.pinBackup, async (call) => ({ backup: await backups.pin(call, 'pinned') }));
  router.json(ROUTES.unpinBackup, async (call) => ({ backup: await backups.pin(call, 'unpinned') }));
  router.raw(ROUTES.downloadBackup, async (call) => backups.download(call));
  router.json(ROUTES.getReceipt, async (call) => backups.receipt(call, call.query.verification));
  router.json(ROUTES.listReceipts, async (call) => backups.receipts(call, call.query));
}
