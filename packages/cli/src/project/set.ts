import { FluxError } from '@flux/contract/errors';
import type { PushPolicy } from '@flux/contract/project';
import { defineCommand, PROJECT_ARGUMENT, PROJECT_OPTIONS, type ProjectOptions } from '../command.ts';
import { resolveProject } from './resolve.ts';
import { PUSH_POLICY_LABELS } from './show.ts';

/** `flux project set` */
export const command = defineCommand<ProjectOptions & { pushPolicy?: PushPolicy }>({
  arguments: PROJECT_ARGUMENT,
  options: [
    ...PROJECT_OPTIONS,
    {
      flags: '--push-policy <policy>',
      summary: 'a push that destroys data without a proven newest backup: ask first (the default), or refuse it',
      choices: ['ask', 'refuse'],
    },
  ],
  examples: ['flux project set bloom-atelier --push-policy refuse', 'flux project set --push-policy ask'],
  about: 'Changes a setting of a project; it needs an admin token. `flux project show` shows the settings.',
  async run(context, { pushPolicy, ...options }, [slug]) {
    if (pushPolicy === undefined)
      throw new FluxError('usage', 'There is no setting to change.', { hint: 'Pass --push-policy ask, or --push-policy refuse.' });
    const { hash } = await resolveProject(context, options, slug);
    const answer = await context.client().call('setProject', { params: { hash }, body: { pushPolicy } });
    context.output.answer([`✓ ${answer.project.slug}: a push that destroys data ${PUSH_POLICY_LABELS[pushPolicy]}.`], answer);
    return 0;
  },
});
