import type { CallInput, ResultOf } from '@flux/contract/client';
import type { OperationRoute } from '@flux/contract/endpoints';
import { FluxError, fromProblem, isFluxError } from '@flux/contract/errors';
import { followOperation } from '@flux/contract/follow';
import type { Operation } from '@flux/contract/operation';
import type { OperationKind } from '@flux/contract/operation-kind';
import type { CallContext } from '../context.ts';
import { interruptible, pause } from '../interrupt.ts';
import { createProgressMeter } from '../output/progress.ts';

/** What to show while an operation runs. */
export interface RunTexts {
  /** `Creating a backup of bloom-atelier`: shown at once. */
  readonly doing: string;
  /** The command that shows the outcome later. */
  readonly checkCommand: string;
  /** What Ctrl-C says before the operation has started; by default that it may have. */
  readonly beforeStart?: { readonly message: string; readonly hint: string };
}

/** After this long without contact, the command stops watching. */
export const CONTACT_TIMEOUT_MS = 30_000;

/**
 * Starts an operation and follows it until it ends; the only place that does so. Ctrl-C stops following, not the operation.
 *
 * @returns the result of the operation
 * @throws FluxError the error of the work; `lost_contact` or `interrupted_by_user`, with the command that shows its state
 */
export async function runOperation<Name extends OperationRoute>(
  context: CallContext,
  name: Name,
  input: CallInput<Name>,
  words: RunTexts,
): Promise<ResultOf<Name>> {
  const { status } = context.output;
  const client = context.client();
  status.idle(`Asking ${client.base}`);
  const facts: { message: string; hint: string } = {
    ...(words.beforeStart ?? {
      message: 'Stopped watching. The operation may have been started in the control plane.',
      hint: `Check it with \`${words.checkCommand}\`.`,
    }),
  };
  try {
    return await interruptible(facts, async (signal) => {
      const patience = {
        delay: (ms: number) => pause(ms, signal),
        timeoutMs: CONTACT_TIMEOUT_MS,
        onContactLost: (isLost: boolean) =>
          status.update(isLost ? `${words.doing}: contact lost, trying again` : words.doing, `contact ${isLost}`),
      };
      const started = await client.start(name, { ...input, signal }, patience);
      // Only now: a request that the gate refuses never begins.
      status.update(words.doing);
      facts.message = 'Stopped watching. The operation continues in the control plane.';
      facts.hint = `Watch it again with \`flux operation watch ${started.id}\`, or check it with \`${words.checkCommand}\`.`;
      const meter = createProgressMeter();
      const operation = await followOperation(client, started, {
        ...patience,
        signal,
        onProgress: (progress) => status.update(`${words.doing}: ${meter.describe(progress, performance.now())}`, progress.phase),
      });
      if (operation.state === 'succeeded' && operation.result !== undefined) return operation.result;
      throw errorOf(operation);
    });
  } catch (error) {
    if (!isFluxError(error, 'lost_contact')) throw error;
    throw new FluxError('lost_contact', error.message, { hint: facts.hint, cause: error });
  } finally {
    status.clear();
  }
}

/** Why an operation has no result. */
export function errorOf({ error, state }: Operation<OperationKind>): FluxError {
  if (error !== undefined) return fromProblem(error);
  if (state === 'succeeded') return new FluxError('internal', 'The operation succeeded, but the control plane did not send its result.');
  if (state === 'cancelled') return new FluxError('cancelled', 'Somebody cancelled the operation.');
  return new FluxError('internal', 'The operation failed, and the control plane did not say why.');
}
