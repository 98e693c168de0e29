import { defineCommand } from '../command.ts';
import { loginPath, removeLogin } from '../settings/login-file.ts';

/** `flux logout` */
export const command = defineCommand<Record<string, never>>({
  examples: ['flux logout'],
  about: 'The token stays valid until `flux token revoke`.',
  async run({ output, home }) {
    const wasLoggedIn = await removeLogin(home);
    output.answer([wasLoggedIn ? `Logged out: ${loginPath(home)} was removed.` : 'You were not logged in.'], { ok: true, wasLoggedIn });
    return 0;
  },
});
