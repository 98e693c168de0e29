import type { VerificationProof } from '@flux/contract/backup';
import type { VerifyAnswer } from '@flux/contract/cli-v1/backup';
import { CLI_V1_ROUTES as ROUTES } from '@flux/contract/cli-v1/routes';
import { FluxError } from '@flux/contract/errors';
import type { VerificationId } from '@flux/contract/ids';
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
import { toLegacyItem } from './legacy-shapes.ts';
import { answerWork } from './wait-or-follow.ts';

/** Backups for existing clients, whose requests wait for the end of the work unless they prefer to follow it. */
export function registerBackupRoutes(router: Router, deps: BackupRouteDeps): void {
  const { db } = deps.catalog;
  router.json(ROUTES.listBackups, async ({ principal, params, query }) => {
    const list = await listProjectBackups(deps, await requireProject(deps, principal, params.hash), viewerOf(principal), query);
    return { ...list, backups: list.backups.map(toLegacyItem) };
  });
  router.json(ROUTES.showBackup, async ({ principal, params }) => {
    const project = await requireProject(deps, principal, params.hash);
    const details = await showBackup(deps, project, parseBackupSelector(params.id), viewerOf(principal));
    return { ...details, backup: toLegacyItem(details.backup) };
  });
  router.work(ROUTES.createBackup, async (call) => {
    const { principal, params, body } = call;
    const project = await requireProject(deps, principal, params.hash);
    const id = await requestBackup(deps, project, principal.actor, body?.note);
    return answerWork(deps, call, { kind: 'backup_create', id }, async ({ backup: { id: backupId } }) => {
      // The operation holds what everybody may see; the requester may see more.
      const { backup } = await showBackup(deps, project, parseBackupSelector(backupId), viewerOf(principal));
      return { backup: toLegacyItem(backup) };
    });
  });
  router.work(ROUTES.verifyBackup, async (call) => {
    const { principal, params } = call;
    const project = await requireProject(deps, principal, params.hash);
    const id = await requestVerification(deps, project, principal.actor, parseBackupSelector(params.id));
    return answerWork(deps, call, { kind: 'backup_verify', id }, async ({ proof }) => toVerifyAnswer(proof));
  });
  router.work(ROUTES.restoreBackup, async (call) => {
    const { principal, params, body } = call;
    const project = await requireProject(deps, principal, params.hash);
    const id = await requestRestore(deps, project, principal, parseBackupSelector(params.id), body);
    return answerWork(deps, call, { kind: 'backup_restore', id }, async (result) => result);
  });
  router.work(ROUTES.deleteBackup, async (call) => {
    const { principal, params, query } = call;
    const project = await requireProject(deps, principal, params.hash);
    const row = await selectBackup(db, project, parseBackupSelector(params.id));
    const requester = { ...principal.actor, name: principal.token.userName };
    const id = await requestDeletion(deps, project, row, requester, overrideOf(query));
    return answerWork(deps, call, { kind: 'backup_delete', id }, async () => {
      const deleted = await selectBackup(db, project, row.id);
      return { backup: toLegacyItem(await readBackupItem(deps, deleted, 'admin')) };
    });
  });
  for (const [route, pinned] of [
    [ROUTES.pinBackup, 'pinned'],
    [ROUTES.unpinBackup, 'unpinned'],
  ] as const) {
    router.json(route, async ({ principal, params }) => {
      const project = await requireProject(deps, principal, params.hash);
      const row = await selectBackup(db, project, parseBackupSelector(params.id));
      const changed = await setPinned(deps, project, row, pinned, principal.actor);
      return { backup: toLegacyItem(await readBackupItem(deps, changed, viewerOf(principal))) };
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

function toVerifyAnswer(proof: VerificationProof): VerifyAnswer {
  switch (proof.verdict) {
    case 'restorable':
      return { ok: true, backupId: proof.backupId, restoreVerificationStatus: 'restore_verified', proof };
    case 'failed':
      throw new FluxError('verification_failed', proof.summary, {
        hint: 'Treat this backup as broken: create a new one with `flux backup create`, then verify it.',
        details: { proof },
      });
    case 'inconclusive':
      throw new FluxError('verification_inconclusive', proof.summary, {
        hint: 'The label has not changed. Remove the cause, then verify again.',
        details: { proof },
      });
  }
}
