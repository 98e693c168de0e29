import { BACKUP_OPTIONS, type BackupOptions, defineCommand, PROJECT_ARGUMENT, PROJECT_OPTIONS, type ProjectOptions } from '../command.ts';
import { confirmDestruction, DESTROY_OPTIONS, type DestroyOptions, readOverride } from '../destroy/confirm.ts';
import { runOperation } from '../operations/run.ts';
import { resolveProject } from '../project/resolve.ts';
import { completeBackup, selectBackup } from './select.ts';

/** `flux backup delete` */
export const command = defineCommand<ProjectOptions & BackupOptions & DestroyOptions>({
  arguments: PROJECT_ARGUMENT,
  options: [...PROJECT_OPTIONS, ...BACKUP_OPTIONS, ...DESTROY_OPTIONS],
  examples: ['flux backup delete --id 0197a5c2-5d1e-7c3a-9b1f-2f6a3c4d5e6f --yes'],
  about:
    'The backup stays listed, with who deleted its file and when. Refused with exit code 6: the newest restore-verified backup, any\
' + 'other backup while that one is missing or damaged, and the last backup with an intact file.',
  async run(context, { latest, id, ...options }, [slug]) {
    const named = selectBackup({ latest, id }, 'delete');
    const project = await resolveProject(context, options, slug);
    const backupId = await completeBackup(context, project, named);
    const body = await readOverride(context, options);
    const what = `This deletes the file of backup ${backupId} of ${project.slug}.`;
    await confirmDestruction(context, project, { action: 'delete_last_verified', backup: backupId, what }, options);
    const words = { doing: `Deleting the file of backup ${backupId}`, checkCommand: `flux backup list ${project.flags}` };
    const answer = await runOperation(context, 'deleteBackup', { params: { hash: project.hash, id: backupId }, body }, words);
    context.output.answer([`The file of backup ${answer.backup.id} is deleted.`], answer);
    return 0;
  },
});
