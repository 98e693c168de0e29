import { FluxError } from '@flux/contract/errors';
import { type BoundedAnswer, boundAnswer } from '../system/bounded-answer.ts';
import { didNotAnswer, type ServerVersion, STATUS_BOUNDS } from './running.ts';

/** Asks servers for their versions, which tells whether they answer: each at most every two seconds, and nobody waits longer than that. */
export interface VersionAnswers {
  /**
   * @param key what tells the server, and the login, from others
   * @throws FluxError `instance_unavailable`, also when it does not answer in time
   */
  read(key: string, ask: (signal: AbortSignal) => Promise<ServerVersion>): Promise<ServerVersion>;
  forget(key: string): void;
}

/** As many servers are remembered; the one that was asked first goes first. */
const MAX_SERVERS = 5000;

export function createVersionAnswers(): VersionAnswers {
  const answers = new Map<string, BoundedAnswer<ServerVersion>>();
  return {
    async read(key, ask) {
      const answer = answers.get(key) ?? boundAnswer(ask, STATUS_BOUNDS);
      answers.set(key, answer);
      const [oldest] = answers.keys();
      if (answers.size > MAX_SERVERS && oldest !== undefined) answers.delete(oldest);
      const found = await answer.get();
      if (found === undefined) throw new FluxError('instance_unavailable', didNotAnswer().problem);
      return found;
    },
    forget: (key) => {
      answers.get(key)?.forget();
      answers.delete(key);
    },
  };
}
