import { BACKUP_OPTIONS, type BackupOptions, defineCommand, PROJECT_OPTIONS, type ProjectOptions } from '../command.ts';
import { changePin } from './change-pin.ts';

/** `flux backup pin` */
export const command = defineCommand<ProjectOptions & BackupOptions>({
  options: [...PROJECT_OPTIONS, ...BACKUP_OPTIONS],
  examples: ['flux backup pin --latest', 'flux backup pin --id 0197a5c2-5d1e-7c3a-9b1f-2f6a3c4d5e6f'],
  about: 'Keeps a backup whatever any policy says, and refuses to delete it until it is unpinned.',
  run: (context, options) => changePin(context, options, 'pin'),
});
