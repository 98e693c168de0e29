import { ROUTES } from '@flux/contract/routes';
import { type Principal, requireUnlimited } from '../access/tokens.ts';
import { parseBackupSelector } from '../backups/select.ts';
import { requestRestore, requestUndo } from '../projects/restore/request.ts';
import { answerOperation } from './backups.ts';
import type { ApiDoors } from './doors.ts';
import { type Router, requireProject } from './router.ts';

/** Restores, and the way back from the newest one in place. */
export function registerRestoreRoutes(router: Router, doors: ApiDoors): void {
  router.json(ROUTES.restoreBackup, async ({ principal, params, body, request, signal }) => {
    const project = await requireProject(doors, principal, params.hash);
    const selector = parseBackupSelector(params.id);
    const operationId = await requestRestore(doors, project, askerOf(principal), selector, body, signal);
    return answerOperation(doors, request, operationId, signal, async (result) => result);
  });
  router.json(ROUTES.undoRestore, async ({ principal, params, request, signal }) => {
    const project = await requireProject(doors, principal, params.hash);
    const operationId = await requestUndo(doors, project, principal.actor);
    return answerOperation(doors, request, operationId, signal, async (result) => result);
  });
}

function askerOf(principal: Principal) {
  return { actor: principal.actor, requireUnlimited: () => requireUnlimited(principal) };
}
