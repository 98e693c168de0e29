import { FluxError } from '@flux/contract/errors';
import { isBackupId } from '@flux/contract/ids';
import type { BackupOptions } from '../command.ts';
import type { CallContext } from '../context.ts';
import { PAGE_LIMIT, readAllPages } from '../pages.ts';
import type { ResolvedProject } from '../project/resolve.ts';
import { completeId, isIdPrefix } from './complete-id.ts';

/** A backup as the command line names it: `latest`, a whole id, or the first digits of one. */
export type NamedBackup = string & { readonly __brand: 'NamedBackup' };

/**
 * The backup that the command line names, before anything is asked: only the control plane resolves `latest`.
 *
 * @throws FluxError `usage` for neither, for both, and for a malformed id
 */
export function selectBackup(options: BackupOptions, command: string): NamedBackup {
  const { latest, id } = options;
  if (latest === true && id !== undefined) throw new FluxError('usage', 'Both --latest and --id are given.', { hint: 'Give one of them.' });
  if (latest === true) return 'latest' as NamedBackup;
  if (id === undefined) {
    throw new FluxError('usage', `\`flux backup ${command}\` needs to know which backup: --latest or --id <backupId>.`, {
      hint: `Run \`flux backup ${command} --latest\`, or find an id with \`flux backup list\`.`,
    });
  }
  if (isIdPrefix(id.toLowerCase())) return id.toLowerCase() as NamedBackup;
  throw new FluxError('usage', `${JSON.stringify(id)} is not the id of a backup.`, { hint: 'See `flux backup list`.' });
}

/**
 * The backup in the path of a route: `latest`, or a whole id.
 *
 * @throws FluxError `backup_not_found` when no backup's id begins so, `usage` when several do
 */
export async function completeBackup(context: CallContext, project: ResolvedProject, named: NamedBackup): Promise<string> {
  if (named === 'latest' || isBackupId(named)) return named;
  const ids = await readAllPages(async (cursor) => {
    const query = { limit: PAGE_LIMIT, cursor };
    const page = await context.client().call('listBackups', { params: { hash: project.hash }, query });
    return { rows: page.backups.map(({ id }) => id), nextCursor: page.nextCursor };
  });
  return completeId(named, ids, { noun: 'backup', code: 'backup_not_found', list: `flux backup list ${project.flags} --all` });
}
