import type { ExitCode, ProjectOptions } from '../command.ts';
import type { Context } from '../context.ts';
import { resolveProject } from './resolve.ts';

/** Starts or stops the Postgres of a project and prints the state after it. */
export async function changeInstance(
  context: Context,
  options: ProjectOptions,
  slug: string | undefined,
  route: 'startProject' | 'stopProject',
  doing: string,
): Promise<ExitCode> {
  const project = await resolveProject(context, options, slug);
  context.output.status.update(`${doing} ${project.slug}`);
  const { summary } = await context.client().call(route, { params: { hash: project.hash } });
  context.output.answer([`${summary.slug} (${summary.hash}) is ${summary.status}.`], { summary });
  return 0;
}
