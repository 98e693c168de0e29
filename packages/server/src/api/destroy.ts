import { ROUTES } from '@flux/contract/routes';
import { overrideOf } from '../backups/gate.ts';
import { answerGate } from '../backups/gate-answer.ts';
import { readBackupItem } from '../backups/item.ts';
import { requestDeletion, setPinned } from '../backups/keep.ts';
import { parseBackupSelector, selectBackup } from '../backups/select.ts';
import { requestNuke } from '../projects/nuke.ts';
import type { ApiDoors } from './doors.ts';
import { answerWork } from './long-work.ts';
import { type Router, requireProject } from './router.ts';

/** What destroys: each of these asks the gate before it does anything. */
export function registerDestructiveRoutes(router: Router, doors: ApiDoors): void {
  const { backups } = doors;
  router.json(ROUTES.askGate, async ({ principal, params, query, signal }) =>
    answerGate(backups, await requireProject(doors, principal, params.hash), query, signal),
  );
  router.work(ROUTES.nukeProject, async (call) => {
    const { principal, params, query } = call;
    const project = await requireProject(doors, principal, params.hash);
    const id = await requestNuke(doors, project, principal.actor, overrideOf(query));
    return answerWork(doors, call, { kind: 'nuke', id }, async ({ hash, removed }) => ({ ok: true, mode: 'catalog', hash, removed }));
  });
  router.work(ROUTES.deleteBackup, async (call) => {
    const { principal, params, query } = call;
    const project = await requireProject(doors, principal, params.hash);
    const row = await selectBackup(doors.catalog.db, project, parseBackupSelector(params.id));
    const requester = { ...principal.actor, name: principal.token.userName };
    const id = await requestDeletion(backups, project, row, requester, overrideOf(query));
    return answerWork(doors, call, { kind: 'backup_delete', id }, async () => ({
      backup: await readBackupItem(backups, await selectBackup(doors.catalog.db, project, row.id), 'admin'),
    }));
  });
  for (const [route, pinned] of [
    [ROUTES.pinBackup, 'pinned'],
    [ROUTES.unpinBackup, 'unpinned'],
  ] as const) {
    router.json(route, async ({ principal, params }) => {
      const project = await requireProject(doors, principal, params.hash);
      const row = await selectBackup(doors.catalog.db, project, parseBackupSelector(params.id));
      return { backup: await readBackupItem(backups, await setPinned(backups, project, row, pinned, principal.actor), 'other') };
    });
  }
}
