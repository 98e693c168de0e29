import { FluxError } from '@flux/contract/errors';
import { type BackupId, isBackupId } from '@flux/contract/ids';
import { type BackupRow, findBackup, findLatestBackup, findLatestRequestedBackup, hasBackups } from '../catalog/backups.ts';
import type { Database } from '../catalog/open.ts';
import type { ProjectRow } from '../catalog/projects.ts';

/** A backup named in a request: by its id, or as `latest`, which only the server resolves. */
export type BackupSelector = BackupId | 'latest';

/** @throws FluxError `invalid_request` when the text is neither `latest` nor a backup id */
export function parseBackupSelector(text: string): BackupSelector {
  if (text === 'latest' || isBackupId(text)) return text;
  throw new FluxError('invalid_request', `"${text}" is not a backup id.`, {
    hint: 'Ids are listed by `flux backup list`; `latest` means the newest that is of the data of the project.',
  });
}

/** @throws FluxError `backup_not_found` */
export async function selectBackup(db: Database, project: ProjectRow, selector: BackupSelector): Promise<BackupRow> {
  const row = selector === 'latest' ? await findLatestBackup(db, project.id) : await findBackup(db, project.id, selector);
  if (row !== undefined) return row;
  const others = selector === 'latest' && (await hasBackups(db, project.id)) ? ', only imported files, which are named with --id' : '';
  throw selector === 'latest'
    ? new FluxError('backup_not_found', `${project.slug} has no backup yet${others}.`, {
        hint: `Create one with \`flux backup create --project ${project.slug} --hash ${project.hash}\`.`,
      })
    : new FluxError('backup_not_found', `${project.slug} has no backup ${selector}.`, {
        hint: `See \`flux backup list --project ${project.slug} --hash ${project.hash} --all\`.`,
      });
}

/**
 * The backup that a restore means. `latest` is the newest that was asked for: right after a restore in place the newest of all is the safety
 * backup of the data that was just replaced, and to restore that is an undo, which nobody asked for. The gate and verifications mean the
 * newest of all: it is the one that protects the present data.
 *
 * @throws FluxError `backup_not_found`
 */
export async function selectBackupToRestore(db: Database, project: ProjectRow, selector: BackupSelector): Promise<BackupRow> {
  if (selector !== 'latest') return await selectBackup(db, project, selector);
  const requested = await findLatestRequestedBackup(db, project.id);
  if (requested !== undefined) return requested;
  const { id } = await selectBackup(db, project, selector);
  throw new FluxError('backup_not_found', `${project.slug} has only safety backups, of data that was replaced.`, {
    hint: `The newest is ${id}; to restore it, name it with --id.`,
  });
}
