import type { PostgresSession } from '../connect.ts';

/**
 * Processes a queue of tasks with several sessions, each taking the next task when it is free. Returns when all sessions are idle; after a
 * failure no further task is started, and the first failure is thrown.
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
