import { FluxError } from '@flux/contract/errors';
import { BACKUP_OPTIONS, type BackupOptions, defineCommand, PROJECT_OPTIONS, type ProjectOptions } from '../command.ts';
import { confirmByName, confirmDestruction, DESTROY_OPTIONS, type DestroyOptions } from '../destroy/confirm.ts';
import { resolveProject } from '../project/resolve.ts';
import { describeRestore } from './restore-text.ts';
import { type RestoreOptions, restoreBackup, toRestoreRequest, undoRestore } from './run-restore.ts';
import { selectBackup } from './select.ts';

/** `flux backup restore` */
export const command = defineCommand<ProjectOptions & BackupOptions & RestoreOptions & DestroyOptions & { undo?: boolean }>({
  options: [
    ...PROJECT_OPTIONS,
    ...BACKUP_OPTIONS,
    { flags: '--into <slug>', summary: 'make a new project (this is the default); a removed one comes back under its own name' },
    { flags: '--mode <engine>', summary: 'engine of the new project', choices: ['v1_dedicated', 'v2_shared'] },
    { flags: '--to <uri>', summary: 'restore into an empty database of yours; `-` reads the URI from standard input' },
    { flags: '--force', summary: 'with --to: the database need not be empty' },
    { flags: '--prerequisites', summary: 'with --to: make the roles, extensions and types first that the backup refers to' },
    { flags: '--table <name...>', summary: 'restore only these tables, beside the live ones' },
    { flags: '--in-place', summary: 'replace the data of the project itself' },
    { flags: '--skip-present-backup', summary: 'with --in-place: do not back up and prove the present state first' },
    { flags: '--undo', summary: 'swap back what the newest restore in place has replaced' },
    ...DESTROY_OPTIONS,
  ],
  examples: [
    'flux backup restore --latest --into bloom-copy',
    'flux backup restore --hash 0a1b2c3 --latest --into bloom-atelier',
    'flux backup restore --latest --in-place --confirm bloom-atelier',
    'flux backup restore --undo',
    'flux backup restore --latest --table orders customers',
    'printenv TARGET_URL | flux backup restore --latest --to -',
  ],
  about:
    'The artifact is read and compared with its SHA-256 before anything is touched, what came back is compared with what was\n' +
    'dumped, and a restore that fails leaves everything as it was. --in-place needs a proven newest backup (exit code 6), swaps\n' +
    'names as its last step, and keeps what it replaced for --undo: for some days (the answer says until when), or until the next.',
  async run(context, { latest, id, undo, ...options }) {
    if (undo === true) {
      if (
        latest !== undefined ||
        id !== undefined ||
        options.inPlace ||
        options.to !== undefined ||
        options.into !== undefined ||
        options.table !== undefined
      )
        throw new FluxError('usage', '--undo cannot be combined with other options that select or place a backup.', {
          hint: 'Run `flux backup restore --undo`: it swaps back what the newest restore in place replaced.',
        });
      const project = await resolveProject(context, options);
      await confirmByName(context, project.slug, `This swaps the data of ${project.slug} back.`, options);
      const answer = await undoRestore(context, project);
      context.output.answer(describeRestore(answer, context.now()), answer);
      return 0;
    }
    const backupId = selectBackup({ latest, id }, 'restore');
    const body = await toRestoreRequest(context, options);
    const project = await resolveProject(context, options);
    if (options.inPlace === true) {
      const what = `This replaces the data of ${project.slug} (${project.hash}) by that of a backup.`;
      await confirmDestruction(context, project, { action: 'restore_in_place', what }, options);
    }
    const answer = await restoreBackup(context, project, backupId, body);
    context.output.answer(describeRestore(answer, context.now()), answer);
    if (answer.how === 'in_place') {
      context.output.next(`flux backup restore ${project.flags} --undo`, 'To have the replaced data back:');
    } else if (answer.project !== null && answer.how !== 'tables') {
      context.output.next(
        `flux backup create --project ${answer.project.slug} --hash ${answer.project.hash} --verify`,
        'It has no backup of its own yet:',
      );
    }
    return 0;
  },
});
