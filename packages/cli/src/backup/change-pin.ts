import type { BackupOptions, ExitCode, ProjectOptions } from '../command.ts';
import type { Context } from '../context.ts';
import { resolveProject } from '../project/resolve.ts';
import { selectBackup } from './select.ts';

/** Pins or unpins a backup and says so. */
export async function changePin(context: Context, options: ProjectOptions & BackupOptions, verb: 'pin' | 'unpin'): Promise<ExitCode> {
  const { latest, id, ...rest } = options;
  const backupId = selectBackup({ ...(latest === undefined ? {} : { latest }), ...(id === undefined ? {} : { id }) }, verb);
  const project = await resolveProject(context, rest);
  const answer = await context
    .client()
    .call(verb === 'pin' ? 'pinBackup' : 'unpinBackup', { params: { hash: project.hash, id: backupId } });
  const state = verb === 'pin' ? 'is pinned: no policy removes it' : 'is not pinned any more';
  context.output.answer([`Backup ${answer.backup.id} ${state}.`], answer);
  return 0;
}
