import type { VerificationProof, VerifyAnswer } from '@flux/contract/backup';
import { FluxError } from '@flux/contract/errors';
import { ROUTES } from '@flux/contract/routes';
import { can, type Principal } from '../access/policy.ts';
import { requestBackup } from '../backups/create.ts';
import type { Viewer } from '../backups/item.ts';
import { listProjectBackups, showBackup } from '../backups/list.ts';
import { parseBackupSelector } from '../backups/select.ts';
import { requestVerification } from '../backups/verify/request.ts';
import type { ApiDoors } from './doors.ts';
import { answerWork } from './long-work.ts';
import { type Router, requireProject } from './router.ts';

/** Create, list, show and verify backups. */
export function registerBackupRoutes(router: Router, doors: ApiDoors): void {
  router.json(ROUTES.listBackups, async ({ principal, params, query }) =>
    listProjectBackups(doors.backups, await requireProject(doors, principal, params.hash), viewerOf(principal), query),
  );
  router.json(ROUTES.showBackup, async ({ principal, params }) => {
    const project = await requireProject(doors, principal, params.hash);
    return showBackup(doors.backups, project, parseBackupSelector(params.id), viewerOf(principal));
  });
  router.work(ROUTES.createBackup, async (call) => {
    const { principal, params, body } = call;
    const project = await requireProject(doors, principal, params.hash);
    const id = await requestBackup(doors.backups, project, principal.actor, body?.note);
    return answerWork(doors, call, { kind: 'backup_create', id }, async (result) => {
      // The operation holds what everybody may see; the requester may see more.
      const selector = parseBackupSelector(result.backup.id);
      const { backup } = await showBackup(doors.backups, project, selector, viewerOf(principal));
      return { backup };
    });
  });
  router.work(ROUTES.verifyBackup, async (call) => {
    const { principal, params } = call;
    const project = await requireProject(doors, principal, params.hash);
    const id = await requestVerification(doors.backups, project, principal.actor, parseBackupSelector(params.id));
    return answerWork(doors, call, { kind: 'backup_verify', id }, async ({ proof }) => toVerifyAnswer(proof));
  });
}

function toVerifyAnswer(proof: VerificationProof): VerifyAnswer {
  switch (proof.verdict) {
    case 'restorable':
      return { ok: true, backupId: proof.backupId, restoreVerificationStatus: 'restore_verified', proof };
    case 'failed':
      throw new FluxError('verification_failed', proof.summary, {
        hint: 'Treat this backup as broken: make a new one with `flux backup create`, then verify it.',
        details: { proof },
      });
    case 'inconclusive':
      throw new FluxError('verification_inconclusive', proof.summary, {
        hint: 'The label has not changed. Put the cause right, then verify again.',
        details: { proof },
      });
  }
}

function viewerOf(principal: Principal): Viewer {
  return can(principal, 'backup.read_paths', null) === 'allowed' ? 'admin' : 'other';
}
