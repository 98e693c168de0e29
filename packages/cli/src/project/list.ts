import type { ProjectSummary } from '@flux/contract/project';
import { defineCommand } from '../command.ts';
import { formatCounted } from '../output/quantity.ts';
import { formatColumns } from '../output/table.ts';
import { formatAge } from '../output/time.ts';
import { readProjects } from './read.ts';

/** `flux list` */
export const command = defineCommand<{ removed?: boolean }>({
  options: [{ flags: '--removed', summary: 'list removed projects; their backups still exist' }],
  examples: ['flux list', 'flux list --json', 'flux list --removed'],
  async run(context, { removed }) {
    const projects = await readProjects(context, removed === true ? 'removed' : 'unfinished');
    const header = ['SLUG', 'HASH', 'STATUS', 'TRUST', 'MODE', 'POSTGRES', 'CREATED'];
    const rows = projects.map((project) => [
      project.slug,
      project.hash,
      statusOf(project, context.now()),
      // An older control plane does not say.
      project.label ?? '-',
      project.attached ? `${project.mode}, attached` : project.mode,
      project.postgresVersion ?? '-',
      formatAge(new Date(project.createdAt), context.now()),
    ]);
    context.output.answer(rows.length === 0 ? [] : formatColumns([header, ...rows]), projects);
    for (const { slug, problem } of projects) if (problem !== undefined) context.output.warn(`${slug}: ${problem}`);
    if (rows.length === 0 && removed === true) context.output.note('No project has been removed.');
    else if (rows.length === 0) context.output.next('flux create <name>', 'There are no projects. Create one:');
    return 0;
  },
});

/** The status of a project with its lifecycle and restarts: `running (1 restart, last 2 minutes ago)`. */
export function statusOf(project: ProjectSummary, now: Date): string {
  if (project.removedAt !== null) return `removed ${formatAge(new Date(project.removedAt), now)}`;
  const state = project.lifecycle === 'active' ? project.status : `${project.status}, ${project.lifecycle}`;
  if (!(project.restarts > 0)) return state;
  const last = project.lastRestartAt === null ? '' : `, last ${formatAge(new Date(project.lastRestartAt), now)}`;
  return `${state} (${formatCounted(project.restarts, 'restart')}${last})`;
}
