import { isFluxError } from '@flux/contract/errors';
import type { GateAction, GateAnswer } from '@flux/contract/gate';
import type { CallContext } from '../context.ts';
import type { ResolvedProject } from '../project/resolve.ts';

/** The gate's answer, or why it could not be asked. */
export type GateReply = GateAnswer | { readonly unknown: string };

/**
 * Asks what the gate would decide. The answer is information only, and the destructive request asks again, so a failure to get
 * it never blocks a command.
 *
 * @param backup for `delete_last_verified`: the backup to delete
 */
export async function askGate(context: CallContext, project: ResolvedProject, action: GateAction, backup?: string): Promise<GateReply> {
  // The whole file of the newest backup is read for the answer.
  context.output.status.update('Checking the newest backup');
  try {
    // A large file takes longer than an ordinary answer.
    return await context.client().call('askGate', { params: { hash: project.hash }, query: { action, backup }, idleMs: null });
  } catch (error) {
    if (!isFluxError(error)) throw error;
    return { unknown: error.message };
  } finally {
    context.output.status.clear();
  }
}
