import { type FluxError, hasUnknownOutcome } from '@flux/contract/errors';
import { deadlineAfter } from '../system/deadline.ts';
import type { Task } from './define.ts';

/**
 * Runs work that is aborted when its time is over. What it has begun is then rolled back, as after any other failure, unless the work says
 * that nobody knows.
 *
 * @param limitMs the time that it has
 * @param explain the error for that; an abort of the task itself keeps its own reason
 */
export async function withinTime<T>(
  task: Task,
  limitMs: number,
  explain: (cause: unknown) => FluxError,
  work: (task: Task) => Promise<T>,
): Promise<T> {
  using deadline = deadlineAfter(limitMs);
  try {
    return await work({ ...task, signal: AbortSignal.any([task.signal, deadline.signal]) });
  } catch (error) {
    if (!deadline.signal.aborted || task.signal.aborted || hasUnknownOutcome(error)) throw error;
    throw explain(error);
  }
}
