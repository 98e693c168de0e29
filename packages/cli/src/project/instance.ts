import { type CommandDefinition, defineCommand, PROJECT_OPTIONS, type ProjectOptions } from '../command.ts';
import { resolveProject } from './resolve.ts';

/** `flux project start` */
export const start = defineInstanceCommand({ verb: 'start', route: 'startProject', doing: 'Starting' });

/** `flux project stop` */
export const stop = defineInstanceCommand({ verb: 'stop', route: 'stopProject', doing: 'Stopping' });

interface InstanceCommand {
  readonly verb: 'start' | 'stop';
  readonly route: 'startProject' | 'stopProject';
  /** Begins the progress line; the name of the project follows. */
  readonly doing: string;
}

function defineInstanceCommand({ verb, route, doing }: InstanceCommand): CommandDefinition {
  return defineCommand<ProjectOptions>({
    arguments: [{ name: '[slug]', summary: 'name of the project (default: flux.json)' }],
    options: PROJECT_OPTIONS,
    examples: [`flux project ${verb} bloom-atelier --hash 0a1b2c3`],
    async run(context, options, [slug]) {
      const project = await resolveProject(context, options, slug);
      context.output.status.update(`${doing} ${project.slug}`);
      const { project: summary } = await context.client().call(route, { params: { hash: project.hash } });
      context.output.answer([`${summary.slug} (${summary.hash}) is ${summary.status}.`], { summary });
      return 0;
    },
  });
}
