import { AsyncLocalStorage } from 'node:async_hooks';
import type { EventEmitter } from 'node:events';
import type { Log } from './log.ts';

/** Ends a request or an operation because of an error that none of its code has handled. */
type End = (error: Error) => void;

/** Belongs to the process, as its uncaught errors do: each chain of calls knows its own. */
const current = new AsyncLocalStorage<End>();

/** Of errors that come in a flood, these many are logged of each minute. */
const LOGGED_PER_MINUTE = 20;

/**
 * Runs something, of which every socket, timer and promise counts as its own: an error that escapes from one of them calls `end`. It may be
 * called after everything is over, and more than once.
 */
export function answerFor<T>(end: End, run: () => T): T {
  return current.run(end, run);
}

/**
 * Has the process outlive errors that no code has handled, such as an event of a socket without a listener: each is logged, and what it
 * belongs to is ended. Everything else goes on: instances, operations and requests of others must not end because of one connection.
 *
 * @returns a function that removes the listeners
 */
export function surviveStrayErrors(log: Log, source: EventEmitter = process): () => void {
  let minute = { startedAt: 0, errors: 0 };
  const survive = (reason: unknown): void => {
    const error =
      reason instanceof Error ? reason : new Error(`something that is not an error was thrown: ${String(reason).slice(0, 200)}`);
    const now = performance.now();
    if (now - minute.startedAt > 60_000) minute = { startedAt: now, errors: 0 };
    minute.errors += 1;
    const end = current.getStore();
    const left = minute.errors === LOGGED_PER_MINUTE ? { more: 'further ones of this minute are not logged' } : {};
    if (minute.errors <= LOGGED_PER_MINUTE)
      log.error(
        { err: error, ...left, belongs: end === undefined ? 'to nothing known' : 'to work that is ended' },
        'an error was not handled',
      );
    try {
      end?.(error);
    } catch (failure) {
      log.error({ err: failure }, 'what an unhandled error belongs to could not be ended');
    }
  };
  source.on('uncaughtException', survive);
  source.on('unhandledRejection', survive);
  return () => {
    source.off('uncaughtException', survive);
    source.off('unhandledRejection', survive);
  };
}
