import { FluxError } from '@flux/contract/errors';
import type { BackupId } from '@flux/contract/ids';
import type { RestoreAnswer } from '@flux/contract/restore';
import { type OpenedBackup, openBackup } from '../../backups/restore/open.ts';
import { restoreToUri } from '../../backups/restore/to.ts';
import { findBackupById } from '../../catalog/backups.ts';
import type { ProjectRow } from '../../catalog/projects.ts';
import type { OperationContext } from '../../operations/run.ts';
import { restoreInPlace, undoInPlace } from './in-place.ts';
import { restoreIntoProject } from './into.ts';
import type { RestorePlan } from './request.ts';
import type { RestoreDoors } from './side.ts';
import { restoreTables } from './tables.ts';

/** Does what `requestRestore` has planned. The artifact's bytes are compared with the catalog before anything else happens. */
export async function runRestore(doors: RestoreDoors, project: ProjectRow, context: OperationContext): Promise<RestoreAnswer> {
  const plan = context.operation.request as RestorePlan;
  const userId = project.owner_id;
  if (plan.how === 'undo') return await undoInPlace(doors, project, context);
  const source = await open(doors, context);
  switch (plan.how) {
    case 'into':
      return await restoreIntoProject(doors, source, project, { slug: plan.slug, mode: plan.mode, userId }, context);
    case 'in_place':
      return await restoreInPlace(doors, source, project, plan, context);
    case 'tables':
      return await restoreTables(doors, source, project, plan.tables, context);
    case 'to': {
      const uri = doors.backups.seal.unseal(Buffer.from(plan.sealedUri, 'base64'));
      return await restoreToUri(doors.backups, source, { ...plan, uri }, context);
    }
  }
}

async function open(doors: RestoreDoors, context: OperationContext): Promise<OpenedBackup> {
  const row = await findBackupById(doors.projects.catalog.db, context.operation.backup_id as BackupId);
  if (row === undefined) throw new FluxError('backup_not_found', 'The backup has vanished from the catalog.');
  return await openBackup(doors.backups, row, context);
}
