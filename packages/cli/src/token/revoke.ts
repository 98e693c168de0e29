import { FluxError } from '@flux/contract/errors';
import { isUuid } from '@flux/contract/ids';
import { defineCommand } from '../command.ts';

/** `flux token revoke` */
export const command = defineCommand<Record<string, never>>({
  arguments: [{ name: '<id>', summary: 'id of the token, see `flux token list`' }],
  examples: ['flux token revoke 0197a5c2-5d1e-7c3a-9b1f-2f6a3c4d5e6f'],
  async run(context, _options, [id = '']) {
    if (!isUuid(id.toLowerCase()))
      throw new FluxError('usage', `${JSON.stringify(id)} is not the id of a token.`, { hint: 'See `flux token list`.' });
    await context.client().call('revokeToken', { params: { id: id.toLowerCase() } });
    context.output.answer([`Token ${id} is revoked.`], { ok: true, id });
    return 0;
  },
});
