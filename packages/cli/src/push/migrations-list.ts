import { findDoubles } from '@flux/contract/applied';
import { defineCommand, PROJECT_ARGUMENT, PROJECT_OPTIONS, type ProjectOptions } from '../command.ts';
import { formatColumns } from '../output/table.ts';
import { formatTime } from '../output/time.ts';
import { resolveProject } from '../project/resolve.ts';
import { readLedger } from './ledger.ts';

/** `flux migrations list` */
export const command = defineCommand<ProjectOptions>({
  arguments: PROJECT_ARGUMENT,
  options: PROJECT_OPTIONS,
  examples: ['flux migrations list --project bloom-atelier --hash 0a1b2c3', 'flux migrations list --json'],
  async run(context, options, [slug]) {
    const project = await resolveProject(context, options, slug);
    const applied = await readLedger(context, project.hash);
    const rows = applied.map((row) => [row.version, row.filename, row.checksum.slice(0, 12), formatTime(row.appliedAt, context.now())]);
    context.output.answer(formatColumns(rows), { applied });
    for (const { filename, versions } of findDoubles(applied))
      context.output.warn(`${filename} is in the ledger ${versions.length} times, as ${versions.join(' and ')}: it may have run as often.`);
    if (rows.length === 0) context.output.next(`flux push ./migrations ${project.flags}`, 'No migration has been applied. Apply some:');
    return 0;
  },
});
