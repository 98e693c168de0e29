import { defineCommand } from '../command.ts';
import { findOperation } from './find.ts';
import { describeOperation } from './operation-text.ts';

const ENDED = ['succeeded', 'failed', 'cancelled'];

/** `flux operation cancel` */
export const command = defineCommand<Record<string, never>>({
  arguments: [{ name: '<id>', summary: 'id of an operation, or its first digits; see `flux operation list`' }],
  examples: ['flux operation cancel 0197a5c2-5d1e-7c3a-9b1f-2f6a3c4d5e6f'],
  about:
    'Asks the work to stop at the next point where that is safe; what it has changed by then is rolled back. Work that has ended is left alone.',
  async run(context, _options, [named = '']) {
    const { id } = await findOperation(context, named);
    const operation = await context.client().call('cancelOperation', { params: { id } });
    context.output.answer(describeOperation(operation, context.now()), { operation });
    if (!ENDED.includes(operation.state)) context.output.next(`flux operation watch ${id}`, 'It is asked to stop. See how it ends:');
    return 0;
  },
});
