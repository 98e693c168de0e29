import { FluxError } from '@flux/contract/errors';
import type { BackupId } from '@flux/contract/ids';
import { insertBackup } from '../../catalog/backups.ts';
import type { ProjectRow } from '../../catalog/projects.ts';
import type { Task } from '../../operations/define.ts';
import { type CreateDeps, createBackup, newBackup } from '../create.ts';
import { type VerifyDeps, verifyBackup } from '../verify/run.ts';

/**
 * Takes a backup of a project as it is now and proves it, as a part of other work.
 *
 * @throws FluxError when it could not be made, or is not proven: then nothing may be replaced
 */
export async function backUpPresentState(
  deps: CreateDeps & VerifyDeps,
  project: ProjectRow,
  { note, hint }: { readonly note: string; readonly hint?: string },
  task: Task,
): Promise<BackupId> {
  const { id } = await insertBackup(deps.catalog.db, newBackup(project, task.id, deps.clock.now(), note));
  const inner: Task = {
    ...task,
    progress: (progress) => task.progress({ ...progress, message: `Present state: ${progress.message}` }),
  };
  await createBackup(deps, project, id, inner);
  const { proof } = await verifyBackup(deps, id, inner);
  if (proof.verdict === 'restorable') return id;
  throw new FluxError(
    proof.verdict === 'failed' ? 'verification_failed' : 'verification_inconclusive',
    `The backup of the present state is not proven, so nothing was changed: ${proof.summary}`,
    { hint: `See \`flux backup show --id ${id}\`.${hint === undefined ? '' : ` ${hint}`}` },
  );
}
