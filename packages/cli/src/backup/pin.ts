import {
  BACKUP_OPTIONS,
  type BackupOptions,
  type CommandDefinition,
  defineCommand,
  PROJECT_ARGUMENT,
  PROJECT_OPTIONS,
  type ProjectOptions,
} from '../command.ts';
import { resolveProject } from '../project/resolve.ts';
import { completeBackup, selectBackup } from './select.ts';

/** `flux backup pin` */
export const pin = definePinCommand({
  verb: 'pin',
  route: 'pinBackup',
  about: 'Keeps a backup regardless of the retention policy, and refuses to delete it until it is unpinned.',
  outcome: 'is pinned: the retention policy does not remove it',
});

/** `flux backup unpin` */
export const unpin = definePinCommand({
  verb: 'unpin',
  route: 'unpinBackup',
  about: 'Lets the retention policy decide about a backup again.',
  outcome: 'is no longer pinned',
});

interface PinCommand {
  readonly verb: 'pin' | 'unpin';
  readonly route: 'pinBackup' | 'unpinBackup';
  readonly about: string;
  /** What the answer says of the backup, after its id. */
  readonly outcome: string;
}

function definePinCommand({ verb, route, about, outcome }: PinCommand): CommandDefinition {
  return defineCommand<ProjectOptions & BackupOptions>({
    arguments: PROJECT_ARGUMENT,
    options: [...PROJECT_OPTIONS, ...BACKUP_OPTIONS],
    examples: [`flux backup ${verb} --latest`, `flux backup ${verb} --id 0197a5c2-5d1e-7c3a-9b1f-2f6a3c4d5e6f`],
    about,
    async run(context, { latest, id, ...options }, [slug]) {
      const named = selectBackup({ latest, id }, verb);
      const project = await resolveProject(context, options, slug);
      const backupId = await completeBackup(context, project, named);
      const answer = await context.client().call(route, { params: { hash: project.hash, id: backupId } });
      context.output.answer([`Backup ${answer.backup.id} ${outcome}.`], answer);
      return 0;
    },
  });
}
