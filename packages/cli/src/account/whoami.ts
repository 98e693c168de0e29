import { defineCommand } from '../command.ts';
import { formatFields } from '../output/table.ts';
import { formatTime } from '../output/time.ts';

/** `flux whoami` */
export const command = defineCommand<Record<string, never>>({
  examples: ['flux whoami', 'flux whoami --json'],
  async run(context) {
    const { settings, output } = context;
    const who = await context.client().call('whoAmI', { params: {} });
    const { token } = who;
    output.answer(
      formatFields([
        ['User', who.user],
        ['Token', token.name],
        ['Access', token.access],
        ['Projects', token.projects === null ? 'all' : token.projects.join(', ')],
        ['Expires', token.expiresAt === null ? 'never' : formatTime(token.expiresAt, context.now())],
        ['Control plane', settings.apiBase],
        ['Token from', settings.tokenSource],
      ]),
      { ...who, apiBase: settings.apiBase },
    );
    return 0;
  },
});
