import { FluxError } from '@flux/contract/errors';
import { isBackupId } from '@flux/contract/ids';
import type { BackupOptions } from '../command.ts';

/**
 * What goes into the path of a route about one backup: an id, or `latest`, which the control plane alone resolves.
 *
 * @throws FluxError `usage` for none, for both, and for an id that is no id
 */
export function selectBackup(options: BackupOptions, command: string): string {
  const { latest, id } = options;
  if (latest === true && id !== undefined) throw new FluxError('usage', 'Both --latest and --id are given.', { hint: 'Give one of them.' });
  if (latest === true) return 'latest';
  if (id === undefined) {
    throw new FluxError('usage', `\`flux backup ${command}\` needs to know which backup: --latest or --id <backupId>.`, {
      hint: `Run \`flux backup ${command} --latest\`, or find an id with \`flux backup list\`.`,
    });
  }
  if (isBackupId(id.toLowerCase())) return id.toLowerCase();
  throw new FluxError('usage', `${JSON.stringify(id)} is not the id of a backup.`, { hint: 'See `flux backup list`.' });
}
