import { FluxError } from '@flux/contract/errors';
import { ACCESS_LEVELS, type AccessLevel } from '@flux/contract/token';
import { defineCommand } from '../command.ts';
import { formatTime } from '../output/time.ts';
import { nameProject } from '../project/resolve.ts';
import { parseExpiry } from './expiry.ts';

/** `flux token create` */
export const command = defineCommand<{ access: AccessLevel; project?: string[]; expires?: string }>({
  arguments: [{ name: '<name>', summary: 'what it is for' }],
  options: [
    {
      flags: '--access <level>',
      summary: 'read: list and download; write: also create, verify, push; admin: everything',
      choices: ACCESS_LEVELS,
      default: 'write',
    },
    { flags: '--project <hash...>', summary: 'only for these projects, by hash (default: all of yours)' },
    { flags: '--expires <when>', summary: 'a time from now such as 12h, 30d, 1y, or a date (default: never)' },
  ],
  examples: ['flux token create ci --access write --project 0a1b2c3 --expires 90d', 'flux token create laptop --json'],
  about: 'The token is printed once, alone on stdout, and cannot be shown again.',
  async run(context, { access, project, expires }, [name = '']) {
    const now = context.now();
    if (name.trim() === '')
      throw new FluxError('usage', 'The name of a token must not be empty.', { hint: 'Say what it is for: `flux token create ci`.' });
    for (const hash of project ?? []) nameProject({ linkFile: null }, { hash });
    const expiresAt = expires === undefined ? null : parseExpiry(expires, now);
    const answer = await context.client().call('createToken', { params: {}, body: { name, access, projects: project ?? null, expiresAt } });
    context.output.answer([answer.token], answer);
    const end = answer.item.expiresAt === null ? 'never expires' : `expires ${formatTime(answer.item.expiresAt, now)}`;
    context.output.note(`Token ${answer.item.name} (${answer.item.id}), access ${answer.item.access}, ${end}. It is shown only once.`);
    return 0;
  },
});
