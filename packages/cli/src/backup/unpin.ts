import { BACKUP_OPTIONS, type BackupOptions, defineCommand, PROJECT_OPTIONS, type ProjectOptions } from '../command.ts';
import { changePin } from './change-pin.ts';

/** `flux backup unpin` */
export const command = defineCommand<ProjectOptions & BackupOptions>({
  options: [...PROJECT_OPTIONS, ...BACKUP_OPTIONS],
  examples: ['flux backup unpin --latest', 'flux backup unpin --id 0197a5c2-5d1e-7c3a-9b1f-2f6a3c4d5e6f'],
  about: 'Lets the policy decide about a backup again.',
  run: (context, options) => changePin(context, options, 'unpin'),
});
