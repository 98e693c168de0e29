import { describeScope } from '@flux/contract/backup-scope';
import { CAPABILITIES, CAPABILITY_LABELS, explainAbsence } from '@flux/contract/capability';
import type { ProjectAnswer, PushPolicy } from '@flux/contract/project';
import { defineCommand, PROJECT_OPTIONS, type ProjectOptions } from '../command.ts';
import { formatFields } from '../output/table.ts';
import { formatTime } from '../output/time.ts';
import { statusOf } from './list.ts';
import { resolveProject } from './resolve.ts';

/** `flux project show` */
export const command = defineCommand<ProjectOptions>({
  arguments: [{ name: '[slug]', summary: 'name of the project (default: flux.json)' }],
  options: PROJECT_OPTIONS,
  examples: ['flux project show bloom-atelier --hash 0a1b2c3', 'flux project show --json'],
  async run(context, options, [slug]) {
    const { hash } = await resolveProject(context, options, slug);
    const answer = await context.client().call('showProject', { params: { hash } });
    context.output.answer(describeProject(answer, context.now()), answer);
    return 0;
  },
});

/** What happens to a push that destroys data. */
export const PUSH_POLICY_LABELS: Readonly<Record<PushPolicy, string>> = {
  ask: 'asks first while the newest backup is not proven',
  refuse: 'is refused while the newest backup is not proven',
};

/** The facts of a project, what it supports, and why it does not support the rest. */
export function describeProject({ project }: ProjectAnswer, now: Date): string[] {
  const supported = CAPABILITIES.filter((capability) => project.capabilities.includes(capability));
  const absent = CAPABILITIES.filter((capability) => !project.capabilities.includes(capability));
  return [
    ...formatFields([
      ['Slug', project.slug],
      ['Hash', project.hash],
      ['Status', statusOf(project, now)],
      ['Mode', project.attached ? `${project.mode}, attached` : project.mode],
      ['Backed up', project.scope === undefined ? null : describeScope(project.scope)],
      ['Problem', project.problem ?? null],
      ['Postgres', project.postgresVersion],
      ['Port', project.port === null ? null : String(project.port)],
      ['API schema', project.apiSchema],
      ['Push policy', `${project.pushPolicy}: one that destroys data ${PUSH_POLICY_LABELS[project.pushPolicy]}`],
      ['Created', formatTime(project.createdAt, now)],
      ['Supports', ['backups', 'migrations', ...supported.map((capability) => CAPABILITY_LABELS[capability])].join(', ')],
    ]),
    ...(absent.length === 0 ? [] : ['', 'Not supported']),
    ...absent.map((capability) => `  ${CAPABILITY_LABELS[capability]}: ${explainAbsence(project, capability).why}`),
  ];
}
