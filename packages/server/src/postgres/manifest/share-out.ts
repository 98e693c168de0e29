import type { PostgresSession } from '../connect.ts';

/**
 * Lets sessions work off a queue, each taking the next task when it has done one. Returns when no session is at work any more;
 * after a failure no further task is begun, and the first failure is thrown.
 */
export async function shareOut<Task>(
  tasks: readonly Task[],
  sessions: readonly PostgresSession[],
  work: (session: PostgresSession, task: Task) => Promise<void>,
): Promise<void> {
  const queue = [...tasks];
  const results = await Promise.allSettled(
    sessions.map(async (session) => {
      for (let task = queue.shift(); task !== undefined; task = queue.shift()) {
        try {
          await work(session, task);
        } catch (error) {
          queue.length = 0;
          throw error;
        }
      }
    }),
  );
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}
