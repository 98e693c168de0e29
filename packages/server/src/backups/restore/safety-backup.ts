import { FluxError } from '@flux/contract/errors';
import type { BackupId } from '@flux/contract/ids';
import { insertBackup } from '../../catalog/backups.ts';
import type { ProjectRow } from '../../catalog/projects.ts';
import type { Task } from '../../operations/define.ts';
import { type CreateDeps, createBackup, newBackup } from '../create.ts';
import { type VerifyDeps, verifyBackup } from '../verify/run.ts';

/** What taking and proving a safety backup uses. */
export interface SafetyBackupDeps {
  readonly create: CreateDeps;
  readonly verify: VerifyDeps;
}

/**
 * Takes a backup of a project as it is now and proves it by a restore, as a part of an operation that replaces data.
 *
 * @throws FluxError when it could not be created, or is not proven: then nothing may be replaced
 */
export async function takeSafetyBackup(
  deps: SafetyBackupDeps,
  project: ProjectRow,
  { note, hint }: { readonly note: string; readonly hint?: string },
  task: Task,
): Promise<BackupId> {
  const { catalog, clock } = deps.create;
  const { id } = await insertBackup(catalog.db, { ...newBackup(project, task.id, clock.now(), note), origin: 'safety' });
  const inner: Task = {
    ...task,
    progress: (progress) => task.progress({ ...progress, message: `Safety backup: ${progress.message}` }),
  };
  await createBackup(deps.create, project, id, inner);
  const { proof } = await verifyBackup(deps.verify, id, inner);
  if (proof.verdict === 'restorable') return id;
  throw new FluxError(
    proof.verdict === 'failed' ? 'verification_failed' : 'verification_inconclusive',
    `The safety backup is not proven, so nothing was changed: ${proof.summary}`,
    { hint: `See \`flux backup show --id ${id}\`.${hint === undefined ? '' : ` ${hint}`}` },
  );
}
