import { FluxError } from '@flux/contract/errors';
import { defineCommand } from '../command.ts';
import { askSecret, readStdin } from '../prompt.ts';
import { writeLogin } from '../settings/login-file.ts';
import { assertToken } from '../token/check.ts';

/** `flux login` */
export const command = defineCommand<{ tokenStdin?: boolean }>({
  options: [{ flags: '--token-stdin', summary: 'read the token from standard input' }],
  examples: ['flux login', 'flux login --token-stdin < token.txt', 'flux login --api-base https://flux.example.com/api'],
  about: 'The token is checked with the control plane, then stored in ~/.flux/config.json (0600).',
  async run(context, { tokenStdin }) {
    const { settings, output } = context;
    const instead = 'Use `flux login --token-stdin < file`, or set FLUX_API_TOKEN.';
    const token =
      tokenStdin === true ? (await readStdin(context.stdin)).trim() : await askSecret(context, `Token for ${settings.apiBase}`, instead);
    if (token === '') {
      throw new FluxError('usage', tokenStdin === true ? 'Standard input ended without a token.' : 'No token was entered.', {
        hint: instead,
      });
    }
    assertToken(token, tokenStdin === true ? 'standard input' : 'the prompt');
    const who = await context.clientWith(token).call('whoAmI', { params: {} });
    const path = await writeLogin(context.home, { apiBase: settings.apiBase, token });
    output.answer([`Logged in to ${settings.apiBase} as ${who.user} (${who.token.access}).`], {
      ok: true,
      apiBase: settings.apiBase,
      user: who.user,
      token: who.token,
    });
    output.note(`The token is stored in ${path}.`);
    if (context.env.FLUX_API_TOKEN !== undefined && context.env.FLUX_API_TOKEN !== '') {
      output.warn('FLUX_API_TOKEN is set and takes precedence over the stored token.');
    }
    return 0;
  },
});
