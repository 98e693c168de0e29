import { followOperation } from '@flux/contract/follow';
import { defineCommand } from '../command.ts';
import { interruptible, pause } from '../interrupt.ts';
import { createProgressMeter } from '../output/progress.ts';
import { findOperation } from './find.ts';
import { describeOperation } from './operation-text.ts';
import { CONTACT_TIMEOUT_MS, errorOf } from './run.ts';

/** `flux operation watch` */
export const command = defineCommand<Record<string, never>>({
  arguments: [{ name: '<id>', summary: 'id of an operation, or its first digits; see `flux operation list`' }],
  examples: ['flux operation watch 0197a5c2-5d1e-7c3a-9b1f-2f6a3c4d5e6f', 'flux operation watch 0197a5c2-5d1'],
  about: 'Ends when the operation ends, with 0 when it succeeded, else with its error. Ctrl-C stops watching, not the operation.',
  async run(context, _options, [named = '']) {
    const { output } = context;
    const client = context.client();
    const found = await findOperation(context, named);
    const facts = {
      message: 'Stopped watching. The operation continues in the control plane.',
      hint: `Watch it again with \`flux operation watch ${found.id}\`.`,
    };
    const meter = createProgressMeter();
    const ended = await interruptible(facts, (signal) =>
      followOperation(client, found, {
        delay: (ms) => pause(ms, signal),
        timeoutMs: CONTACT_TIMEOUT_MS,
        signal,
        onProgress: (progress) => output.status.update(meter.describe(progress, performance.now()), progress.phase),
      }),
    ).finally(() => output.status.clear());
    if (ended.state !== 'succeeded') throw errorOf(ended);
    const operation = await client.call('getOperation', { params: { id: found.id } });
    output.answer(describeOperation(operation, context.now()), { operation });
    return 0;
  },
});
