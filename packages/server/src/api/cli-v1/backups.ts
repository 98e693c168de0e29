import type { VerificationProof } from '@flux/contract/backup';
import type { VerifyAnswer } from '@flux/contract/cli-v1/backup';
import { CLI_V1_ROUTES as ROUTES } from '@flux/contract/cli-v1/routes';
import { FluxError } from '@flux/contract/errors';
import { createBackupRequests } from '../backup-requests.ts';
import type { BackupRouteDeps } from '../deps.ts';
import type { Router } from '../router.ts';
import { toLegacyItem } from './legacy-shapes.ts';
import { answerWork } from './wait-or-follow.ts';

/** Routes of backups for existing clients, whose requests wait for the result unless they send `Prefer: respond-async`. */
export function registerBackupRoutes(router: Router, deps: BackupRouteDeps): void {
  const backups = createBackupRequests(deps);
  router.json(ROUTES.listBackups, async (call) => {
    const list = await backups.list(call, call.query);
    return { ...list, backups: list.backups.map(toLegacyItem) };
  });
  router.json(ROUTES.showBackup, async (call) => {
    const details = await backups.show(call);
    return { ...details, backup: toLegacyItem(details.backup) };
  });
  router.work(ROUTES.createBackup, async (call) => {
    const id = await backups.create(call, call.body?.note);
    // The recorded result contains what everybody may see; the requester may see more.
    return answerWork(deps, call, { kind: 'backup_create', id }, async ({ backup }) => ({
      backup: toLegacyItem((await backups.show({ ...call, params: { ...call.params, id: backup.id } })).backup),
    }));
  });
  router.work(ROUTES.verifyBackup, async (call) => {
    const id = await backups.verify(call);
    return answerWork(deps, call, { kind: 'backup_verify', id }, async ({ proof }) => toVerifyAnswer(proof));
  });
  router.work(ROUTES.restoreBackup, async (call) => {
    const id = await backups.restore(call, call.body);
    return answerWork(deps, call, { kind: 'backup_restore', id }, async (result) => result);
  });
  router.work(ROUTES.deleteBackup, async (call) => {
    const { operation, backup } = await backups.delete(call, call.query);
    return answerWork(deps, call, { kind: 'backup_delete', id: operation }, async () => ({
      backup: toLegacyItem((await backups.show({ ...call, params: { ...call.params, id: backup } })).backup),
    }));
  });
  router.json(ROUTES.pinBackup, async (call) => ({ backup: toLegacyItem(await backups.pin(call, 'pinned')) }));
  router.json(ROUTES.unpinBackup, async (call) => ({ backup: toLegacyItem(await backups.pin(call, 'unpinned')) }));
  router.raw(ROUTES.downloadBackup, async (call) => backups.download(call));
  router.json(ROUTES.getReceipt, async (call) => backups.receipt(call, call.query.verification));
  router.json(ROUTES.listReceipts, async (call) => backups.receipts(call, call.query));
}

function toVerifyAnswer(proof: VerificationProof): VerifyAnswer {
  switch (proof.verdict) {
    case 'restorable':
      return { ok: true, backupId: proof.backupId, restoreVerificationStatus: 'restore_verified', proof };
    case 'failed':
      throw new FluxError('verification_failed', proof.summary, {
        hint:
          proof.failedBy === 'source'
            ? 'Treat this backup as broken. Its file is as it was written, so another one ends in the same way: correct the source first, then create and verify a new one with `flux backup create --verify`.'
            : 'Treat this backup as broken: create a new one with `flux backup create`, then verify it.',
        details: { proof },
      });
    case 'inconclusive':
      throw new FluxError('verification_inconclusive', proof.summary, {
        hint: 'The label has not changed. Remove the cause, then verify again.',
        details: { proof },
      });
  }
}
