import type { BackupItem } from '@flux/contract/backup';
import { FluxError } from '@flux/contract/errors';
import type { CallContext } from '../context.ts';
import { runOperation } from '../operations/run.ts';
import type { ResolvedProject } from '../project/resolve.ts';

/**
 * Creates a backup and waits until its artifact is complete and validated.
 *
 * @throws FluxError the error of the operation; also when the answer claims success without such a backup
 */
export async function createBackup(context: CallContext, project: ResolvedProject, note: string | undefined): Promise<BackupItem> {
  const { backup } = await runOperation(
    context,
    'createBackup',
    { params: { hash: project.hash }, body: note === undefined ? {} : { note } },
    { doing: `Creating a backup of ${project.slug}`, checkCommand: `flux backup list ${project.flags}` },
  );
  if (backup.status !== 'complete' || backup.artifactValidationStatus !== 'artifact_valid') {
    throw new FluxError(
      backup.status === 'complete' ? 'artifact_invalid' : 'dump_failed',
      `Backup ${backup.id} is not complete: ${backup.failure ?? backup.artifactValidationError ?? backup.label}.`,
      { hint: `See \`flux backup list --verbose ${project.flags}\`.` },
    );
  }
  return backup;
}
