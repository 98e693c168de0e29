import { defineCommand } from '../command.ts';
import { describeKeys } from './receipt-text.ts';

/** `flux receipt rotate-key` */
export const command = defineCommand<Record<string, never>>({
  examples: ['flux receipt rotate-key > keys.pem'],
  about: 'Needs a token with access level admin. The previous key stays published as retired, so that its receipts can still be checked.',
  async run(context) {
    const keys = await context.client().call('rotateReceiptKey', { params: {} });
    context.output.answer(describeKeys(keys), keys);
    context.output.note(`Receipts are signed with key ${keys.keys[0]?.kid} from now on. Give it to everyone who checks receipts.`);
    return 0;
  },
});
