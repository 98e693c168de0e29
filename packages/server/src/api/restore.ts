import { ROUTES } from '@flux/contract/routes';
import { type Principal, requireUnlimited } from '../access/tokens.ts';
import { parseBackupSelector } from '../backups/select.ts';
import { requestMigration } from '../projects/migrate/request.ts';
import { requestReset } from '../projects/reset.ts';
import { requestRestore, requestUndo } from '../projects/restore/request.ts';
import { answerOperation } from './backups.ts';
import type { ApiDoors } from './doors.ts';
import { type Router, requireProject } from './router.ts';

/** Restores, resets, the way back from both, and moves to another engine. */
export function registerRestoreRoutes(router: Router, doors: ApiDoors): void {
  router.json(ROUTES.restoreBackup, async ({ principal, params, body, request, signal }) => {
    const project = await requireProject(doors, principal, params.hash);
    const selector = parseBackupSelector(params.id);
    const operationId = await requestRestore(doors, project, askerOf(principal), selector, body);
    return answerOperation(doors, request, operationId, signal, async (result) => result);
  });
  router.json(ROUTES.undoRestore, async ({ principal, params, request, signal }) => {
    const project = await requireProject(doors, principal, params.hash);
    const operationId = await requestUndo(doors, project, principal.actor);
    return answerOperation(doors, request, operationId, signal, async (result) => result);
  });
  router.json(ROUTES.resetProject, async ({ principal, params, body, request, signal }) => {
    const project = await requireProject(doors, principal, params.hash);
    const operationId = await requestReset(doors, project, principal.actor, body);
    return answerOperation(doors, request, operationId, signal, async (result) => result);
  });
  router.json(ROUTES.migrate, async ({ principal, body, request, signal }) => {
    const project = await requireProject(doors, principal, body.hash);
    const begun = await requestMigration(doors, project, principal.actor, body);
    if ('answer' in begun) return begun.answer;
    return answerOperation(doors, request, begun.operationId, signal, async (result) => result);
  });
}

function askerOf(principal: Principal) {
  return { actor: principal.actor, requireUnlimited: () => requireUnlimited(principal) };
}
