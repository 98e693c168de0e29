import { defineCommand, PROJECT_ARGUMENT, PROJECT_OPTIONS, type ProjectOptions } from '../command.ts';
import { formatColumns } from '../output/table.ts';
import { formatAge } from '../output/time.ts';
import { resolveProject } from '../project/resolve.ts';

const DEFAULT_LIMIT = 20;

/** `flux operation list` */
export const command = defineCommand<ProjectOptions & { running?: boolean }>({
  arguments: PROJECT_ARGUMENT,
  options: [...PROJECT_OPTIONS, { flags: '--running', summary: 'only those that run now' }],
  examples: ['flux operation list', 'flux operation list bloom-atelier', 'flux operation list --running'],
  about: `Shows the newest ${DEFAULT_LIMIT}, of all projects unless one is named.`,
  async run(context, { running, ...options }, [slug]) {
    const isNamed = slug !== undefined || options.project !== undefined || options.hash !== undefined;
    const project = isNamed ? await resolveProject(context, options, slug) : null;
    const { operations } = await context.client().call('listOperations', {
      params: {},
      query: { limit: DEFAULT_LIMIT, project: project?.hash, state: running === true ? 'running' : undefined },
    });
    const now = context.now();
    const rows = operations.map(({ id, kind, projectSlug, state, createdAt }) => [
      id,
      kind,
      projectSlug,
      state,
      formatAge(new Date(createdAt), now),
    ]);
    context.output.answer(rows.length === 0 ? [] : formatColumns([['ID', 'KIND', 'PROJECT', 'STATE', 'CREATED'], ...rows]), { operations });
    if (rows.length === 0) context.output.note(running === true ? 'Nothing is running.' : 'There are no operations.');
    return 0;
  },
});
