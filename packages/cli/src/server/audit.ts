import { FluxError } from '@flux/contract/errors';
import { defineCommand, PROJECT_OPTIONS, type ProjectOptions } from '../command.ts';
import { formatColumns } from '../output/table.ts';
import { resolveProject } from '../project/resolve.ts';

/** `flux audit` */
export const command = defineCommand<ProjectOptions & { limit?: string }>({
  options: [...PROJECT_OPTIONS, { flags: '--limit <number>', summary: 'how many lines, at most 1000 (default: 50)' }],
  examples: ['flux audit', 'flux audit --project bloom-atelier --limit 200'],
  about: 'Includes overrides of the gate, with their reason (gate.override).',
  async run(context, { limit, ...options }) {
    if (limit !== undefined && !/^[1-9]\d{0,3}$/.test(limit))
      throw new FluxError('usage', `--limit ${limit} is not a number from 1 to 1000.`);
    const named = options.project !== undefined || options.hash !== undefined;
    const hash = named ? (await resolveProject(context, options)).hash : undefined;
    const { events } = await context.client().call('listAudit', { params: {}, query: { limit, project: hash } });
    const rows = events.map(({ at, action, user, token, project, subject, details }) => [
      at,
      action,
      user === null ? 'Flux' : `${user}${token === null ? '' : ` by "${token}"`}`,
      project ?? '-',
      [subject, ...Object.entries(details).map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)]
        .filter((part) => part !== null)
        .join(' '),
    ]);
    context.output.answer(rows.length === 0 ? [] : formatColumns([['AT', 'ACTION', 'WHO', 'PROJECT', 'WHAT'], ...rows]), { events });
    return 0;
  },
});
