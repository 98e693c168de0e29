import { FluxError } from '@flux/contract/errors';
import type { RestoreAnswer } from '@flux/contract/restore';
import { abandonBackups } from '../../backups/abandon.ts';
import { requireBackupId } from '../../backups/create.ts';
import { precheckGate } from '../../backups/gate.ts';
import { openBackup } from '../../backups/restore/open.ts';
import { restoreToUri } from '../../backups/restore/to.ts';
import { findBackupById } from '../../catalog/backups.ts';
import { defineOperation, type Order, type Task } from '../../operations/define.ts';
import { restoreInPlace, undoInPlace } from './in-place.ts';
import { restoreIntoProject } from './into.ts';
import type { RestoreDoors } from './into-staging.ts';
import { RestorePlan } from './plan.ts';
import { restoreTables } from './tables.ts';

/** Restores a backup, wherever to. What goes elsewhere touches only the backup: the project that it is of goes on meanwhile. */
export const backupRestore = defineOperation({
  kind: 'backup_restore',
  request: RestorePlan,
  touches: ({ how }) => (how === 'to' ? 'backup' : 'project'),
  runsOn: 'project host',
  audit: ({ backupId, request }) => ({
    action: 'backup.restore',
    ...(backupId === null ? {} : { subject: backupId }),
    details: request.how === 'into' ? { how: request.how, slug: request.slug, mode: request.mode } : { how: request.how },
  }),
  afterWorkerLoss: 'end',
  run: runRestore,
  onInterrupted: (doors: RestoreDoors, db, order, reason) => abandonBackups(doors.backups, db, order, reason),
});

/** Does what `requestRestore` has planned. The artifact's bytes are compared with the catalog before anything else happens. */
async function runRestore(
  doors: RestoreDoors,
  { request: plan, project, backupId, requester }: Order<RestorePlan>,
  task: Task,
): Promise<RestoreAnswer> {
  if (plan.how === 'undo') return await undoInPlace(doors, project, task);
  // Before the artifact is opened: what the gate refuses is said in the gate's words.
  if (plan.how === 'in_place') await precheckGate(doors.backups, project, 'restore_in_place', plan.override, task.signal);
  const row = await findBackupById(doors.projects.catalog.db, requireBackupId(backupId));
  if (row === undefined) throw new FluxError('backup_not_found', 'The backup is not in the catalog any more.');
  await using source = await openBackup(doors.backups, row, task);
  switch (plan.how) {
    case 'into': {
      const into = { slug: plan.slug, mode: plan.mode, userId: project.owner_id, requester };
      return await restoreIntoProject(doors, source, project, into, task);
    }
    case 'in_place':
      return await restoreInPlace(doors, source, project, { ...plan, requester }, task);
    case 'tables':
      return await restoreTables(doors, source, project, { tables: plan.tables, requester }, task);
    case 'to': {
      const uri = doors.backups.seal.unseal(Buffer.from(plan.sealedUri, 'base64'));
      return await restoreToUri(doors.backups, source, { ...plan, uri }, task);
    }
  }
}
