import { defineCommand } from '../command.ts';
import { describeKeys } from './receipt-text.ts';

/** `flux receipt keys` */
export const command = defineCommand<Record<string, never>>({
  examples: ['flux receipt keys > keys.pem', 'flux receipt keys --json > keys.json'],
  about:
    'The key in use comes first, then the retired ones, whose receipts can still be checked. Keep the file: receipts are\n' +
    'checked against it, not against what a control plane says later. /.well-known/flux-receipt-keys.json is the public equivalent.',
  async run(context) {
    const keys = await context.client().call('listReceiptKeys', { params: {} });
    context.output.answer(describeKeys(keys), keys);
    return 0;
  },
});
