import { defineCommand } from '../command.ts';
import { loginPath, removeLogin } from '../settings/login-file.ts';

/** `flux logout` */
export const command = defineCommand<Record<string, never>>({
  examples: ['flux logout'],
  about: 'The token stays valid; `flux token revoke` ends it.',
  async run({ output, home }) {
    const wasLoggedIn = await removeLogin(home);
    output.answer([wasLoggedIn ? `Logged out: ${loginPath(home)} is gone.` : 'You were not logged in.'], { ok: true, wasLoggedIn });
    return 0;
  },
});
