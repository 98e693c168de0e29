import { FluxError } from '@flux/contract/errors';
import { isBackupId } from '@flux/contract/ids';
import type { BackupOptions } from '../command.ts';

/**
 * The backup in the path of a route: an id, or `latest`, which only the control plane resolves.
 *
 * @throws FluxError `usage` for neither, for both, and for a malformed id
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
