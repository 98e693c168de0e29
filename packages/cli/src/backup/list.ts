import type { BackupList } from '@flux/contract/backup';
import { FluxError } from '@flux/contract/errors';
import { defineCommand, PROJECT_ARGUMENT, PROJECT_OPTIONS, type ProjectOptions } from '../command.ts';
import { resolveProject } from '../project/resolve.ts';
import { describeBackups } from './list-text.ts';

const DEFAULT_LIMIT = 20;
const MAX_PAGE = 1000;

/** `flux backup list` */
export const command = defineCommand<ProjectOptions & { verbose?: boolean; limit?: string; all?: boolean }>({
  arguments: PROJECT_ARGUMENT,
  options: [
    ...PROJECT_OPTIONS,
    { flags: '-v, --verbose', summary: 'tier, times, paths, checksum, versions, retention, errors' },
    { flags: '--limit <n>', summary: `how many to show (default: ${DEFAULT_LIMIT})` },
    { flags: '--all', summary: 'show all backups' },
  ],
  examples: [
    'flux backup list --project bloom-atelier --hash 0a1b2c3',
    'flux backup list | head -3',
    'flux backup list --json | jq -r .freshness.tier',
  ],
  about: 'The first three lines always say whether the newest backup allows a destructive action.',
  async run(context, { verbose, limit, all, ...options }, [slug]) {
    const { output } = context;
    const wanted = all === true ? Number.POSITIVE_INFINITY : parseLimit(limit);
    const project = await resolveProject(context, options, slug);
    const page = (count: number, cursor?: string): Promise<BackupList> =>
      context.client().call('listBackups', { params: { hash: project.hash }, query: { limit: Math.min(count, MAX_PAGE), cursor } });

    // The first page has the summary of the newest backup; later pages only add rows.
    let list = await page(wanted);
    while (list.nextCursor !== null && list.backups.length < wanted) {
      const more = await page(wanted - list.backups.length, list.nextCursor);
      if (more.backups.length === 0) break;
      list = { ...list, backups: [...list.backups, ...more.backups], nextCursor: more.nextCursor };
    }
    output.answer(
      describeBackups(list, { now: context.now(), verbose: verbose === true, columns: output.columns, colors: output.colors }),
      list,
    );
    if (list.freshness.latestBackupId === null && list.backups.length === 0) {
      output.next(`flux backup create ${project.flags} --verify`, 'There is no backup yet. Create and verify one:');
    } else if (list.nextCursor !== null) {
      output.note(`Only the newest ${list.backups.length} are shown; --all shows all.`);
    }
    return 0;
  },
});

function parseLimit(text: string | undefined): number {
  if (text === undefined) return DEFAULT_LIMIT;
  const limit = /^[0-9]{1,6}$/.test(text) ? Number(text) : 0;
  if (limit >= 1) return limit;
  throw new FluxError('usage', `--limit ${text} is not a positive number.`, { hint: '--all shows all backups.' });
}
