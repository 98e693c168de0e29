import type { Finding } from '@flux/contract/doctor';
import { defineCommand, PROJECT_OPTIONS, type ProjectOptions } from '../command.ts';
import { resolveProject } from '../project/resolve.ts';

const MARKS: Record<Finding['severity'], string> = { danger: '✗', warning: '!', fine: '✓' };

/** `flux doctor` */
export const command = defineCommand<ProjectOptions>({
  arguments: [{ name: '[slug]', summary: 'name of a project; without one, the server and all projects' }],
  options: PROJECT_OPTIONS,
  examples: ['flux doctor', 'flux doctor bloom-atelier --hash 0a1b2c3'],
  about: 'What would prevent a restore today, most dangerous first. Exit code 1 when something is dangerous.',
  async run(context, options, [slug]) {
    const named = slug !== undefined || options.project !== undefined || options.hash !== undefined;
    const client = context.client();
    const answer = named
      ? await client.call('examineProject', { params: { hash: (await resolveProject(context, options, slug)).hash } })
      : await client.call('examineServer', { params: {} });
    const lines = answer.findings.flatMap(({ severity, what, found, command }) => [
      `${MARKS[severity]} ${what}: ${found}`,
      ...(command === null ? [] : [`    ${command}`]),
    ]);
    context.output.answer(lines, answer);
    return answer.findings.some(({ severity }) => severity === 'danger') ? 1 : 0;
  },
});
