import type { FastifyReply } from 'fastify';

/** Answers that have not been sent to their end. */
export interface PendingAnswers {
  add(reply: FastifyReply): void;
  /** Resolves when none is left, or when the time is over. */
  settled(withinMs: number): Promise<void>;
}

/** Keeps count of answers from the arrival of their request until they are sent or their client is gone. */
export function trackAnswers(): PendingAnswers {
  const pending = new Set<Promise<void>>();
  return {
    add: ({ raw }) => {
      if (raw.destroyed) return;
      const closed = new Promise<void>((resolve) => raw.once('close', resolve)).then(() => void pending.delete(closed));
      pending.add(closed);
    },
    settled: async (withinMs) => {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, withinMs);
      });
      await Promise.race([Promise.all(pending), late]);
      clearTimeout(timer);
    },
  };
}
