import { ROUTES } from '@flux/contract/routes';
import { parseBackupSelector } from '../backups/select.ts';
import { requestMigration } from '../projects/migrate/request.ts';
import { requestReset } from '../projects/reset.ts';
import { requestRestore, requestUndo } from '../projects/restore/request.ts';
import type { ApiDoors } from './doors.ts';
import { answerWork } from './long-work.ts';
import { type Router, requireProject } from './router.ts';

/** Restores, resets, the way back from both, and moves to another engine. */
export function registerRestoreRoutes(router: Router, doors: ApiDoors): void {
  router.work(ROUTES.restoreBackup, async (call) => {
    const { principal, params, body } = call;
    const project = await requireProject(doors, principal, params.hash);
    const id = await requestRestore(doors, project, principal, parseBackupSelector(params.id), body);
    return answerWork(doors, call, { kind: 'backup_restore', id }, async (result) => result);
  });
  router.work(ROUTES.undoRestore, async (call) => {
    const { principal, params } = call;
    const project = await requireProject(doors, principal, params.hash);
    const id = await requestUndo(doors, project, principal.actor);
    return answerWork(doors, call, { kind: 'backup_restore', id }, async (result) => result);
  });
  router.work(ROUTES.resetProject, async (call) => {
    const { principal, params, body } = call;
    const project = await requireProject(doors, principal, params.hash);
    const id = await requestReset(doors, project, principal.actor, body);
    return answerWork(doors, call, { kind: 'reset', id }, async (result) => result);
  });
  router.work(ROUTES.migrate, async (call) => {
    const { principal, body } = call;
    const project = await requireProject(doors, principal, body.hash);
    const begun = await requestMigration(doors, project, principal.actor, body);
    if ('answer' in begun) return { done: begun.answer };
    return answerWork(doors, call, { kind: 'migrate', id: begun.operationId }, async (result) => result);
  });
}
