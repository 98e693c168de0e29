import { FluxError } from '@flux/contract/errors';
import { ROUTES } from '@flux/contract/routes';
import { type Clearance, type DestructiveAction, requireDeletion, requireGate } from '../backups/gate.ts';
import { answerGate } from '../backups/gate-answer.ts';
import { readBackupItem } from '../backups/item.ts';
import { deleteBackup, refuseUndeletable, setPinned } from '../backups/keep.ts';
import { parseBackupSelector, selectBackup } from '../backups/select.ts';
import type { ProjectRow } from '../catalog/projects.ts';
import { nukeProject } from '../projects/nuke.ts';
import type { ApiDoors } from './doors.ts';
import { type Router, requireProject } from './router.ts';

interface DestroyQuery {
  readonly skipBackupCheck?: string | undefined;
  readonly reason?: string | undefined;
}

/** What destroys: each of these asks the gate before it does anything. */
export function registerDestructiveRoutes(router: Router, doors: ApiDoors): void {
  const { backups } = doors;
  router.json(ROUTES.askGate, async ({ principal, params, query, signal }) =>
    answerGate(backups, await requireProject(doors, principal, params.hash), query, signal),
  );
  router.json(ROUTES.nukeProject, async ({ principal, params, query, signal }) => {
    const project = await requireProject(doors, principal, params.hash);
    const clearance = project.lifecycle === 'removing' ? null : await requireClearance(doors, project, 'nuke', query, signal);
    await nukeProject(doors.projects, project, principal.actor, clearance);
    return { ok: true, mode: 'catalog', hash: project.hash, removed: true };
  });
  router.json(ROUTES.deleteBackup, async ({ principal, params, query, signal }) => {
    const project = await requireProject(doors, principal, params.hash);
    const row = await selectBackup(doors.catalog.db, project, parseBackupSelector(params.id));
    // Before anything is read: what is pinned is not deleted, however good the others are.
    refuseUndeletable(row);
    const clearance = await requireDeletion(backups, project, row, overrideOf(query), signal);
    await deleteBackup(backups, project, row, { ...principal.actor, name: principal.token.userName }, clearance);
    return { backup: await readBackupItem(backups.store, await selectBackup(doors.catalog.db, project, row.id), 'admin') };
  });
  for (const [route, pinned] of [
    [ROUTES.pinBackup, 'pinned'],
    [ROUTES.unpinBackup, 'unpinned'],
  ] as const) {
    router.json(route, async ({ principal, params }) => {
      const project = await requireProject(doors, principal, params.hash);
      const row = await selectBackup(doors.catalog.db, project, parseBackupSelector(params.id));
      return { backup: await readBackupItem(backups.store, await setPinned(backups, project, row, pinned, principal.actor), 'other') };
    });
  }
}

/** Asks the gate, and turns its refusal into the answer 412. */
async function requireClearance(
  doors: ApiDoors,
  project: ProjectRow,
  action: DestructiveAction,
  query: DestroyQuery,
  signal: AbortSignal,
): Promise<Clearance> {
  return await requireGate(doors.backups, project, action, overrideOf(query), signal);
}

function overrideOf(query: DestroyQuery): { readonly reason: string } | null {
  if (query.skipBackupCheck !== 'true' && query.skipBackupCheck !== '1') return null;
  if (query.reason !== undefined && query.reason.trim() === '')
    throw new FluxError('invalid_request', 'The reason for the override is empty.');
  return { reason: query.reason ?? 'none was given' };
}
