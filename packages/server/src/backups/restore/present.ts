import { FluxError } from '@flux/contract/errors';
import type { BackupId } from '@flux/contract/ids';
import { backupKindOf } from '@flux/contract/labels';
import { insertBackup } from '../../catalog/backups.ts';
import type { ProjectRow } from '../../catalog/projects.ts';
import type { OperationContext } from '../../operations/run.ts';
import { uuidv7 } from '../../system/uuid.ts';
import { createBackup } from '../create.ts';
import type { BackupDoors } from '../doors.ts';
import { verifyBackup } from '../verify/run.ts';

/**
 * Takes a backup of a project as it is now and proves it, inside an operation of another kind.
 *
 * @throws FluxError when it could not be made, or is not proven: then nothing may be replaced
 */
export async function backUpPresentState(
  doors: BackupDoors,
  project: ProjectRow,
  { note, hint }: { readonly note: string; readonly hint?: string },
  context: OperationContext,
): Promise<BackupId> {
  const now = doors.clock.now();
  const id = uuidv7(now) as BackupId;
  await insertBackup(doors.catalog.db, {
    id,
    project_id: project.id,
    kind: backupKindOf(project.engine),
    engine: project.engine,
    status: 'queued',
    note,
    created_at: now,
  });
  const inner: OperationContext = {
    signal: context.signal,
    operation: { ...context.operation, backup_id: id },
    progress: (progress) => context.progress({ ...progress, message: `Present state: ${progress.message}` }),
  };
  await createBackup(doors, project, inner);
  const { proof } = await verifyBackup(doors, inner);
  if (proof.verdict === 'restorable') return id;
  throw new FluxError(
    proof.verdict === 'failed' ? 'verification_failed' : 'verification_inconclusive',
    `The backup of the present state is not proven, so nothing was changed: ${proof.summary}`,
    { hint: `See \`flux backup show --id ${id}\`.${hint === undefined ? '' : ` ${hint}`}` },
  );
}
