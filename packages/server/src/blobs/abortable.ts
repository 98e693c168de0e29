import { Readable } from 'node:stream';

/**
 * The same bytes, but `next` rejects as soon as the signal aborts, even while the source yields nothing. The source is closed then,
 * without waiting for it, since a stuck source would not answer.
 *
 * One listener serves the whole source: `Promise.race` with a promise that lives as long as the source would accumulate a reaction for
 * each chunk.
 */
export function abortable(source: AsyncIterable<Buffer>, signal: AbortSignal): AsyncIterableIterator<Buffer, undefined> {
  const inner = source[Symbol.asyncIterator]();
  let rejectPending: ((reason: unknown) => void) | undefined;
  let hasEnded = false;
  const onAbort = () => rejectPending?.(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  const end = () => {
    hasEnded = true;
    signal.removeEventListener('abort', onAbort);
  };
  return {
    next: () =>
      new Promise((resolve, reject) => {
        const fail = (error: unknown) => {
          end();
          reject(error);
        };
        rejectPending = (reason) => {
          fail(reason);
          closeSource(source, inner).catch(() => undefined);
        };
        if (hasEnded) return resolve({ done: true, value: undefined });
        if (signal.aborted) return rejectPending(signal.reason);
        inner.next().then((result) => {
          if (result.done !== true) return resolve(result);
          end();
          // Not a success: an abort that arrives together with the last byte wins.
          if (signal.aborted) reject(signal.reason);
          else resolve({ done: true, value: undefined });
        }, fail);
      }),
    return: async () => {
      if (!hasEnded) {
        end();
        await closeSource(source, inner);
      }
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

/** Closes a source that is not read further. The iterator of a stream would first wait for its next chunk, so a stream is destroyed. */
export async function closeSource(source: AsyncIterable<Buffer>, iterator: AsyncIterator<Buffer>): Promise<void> {
  if (source instanceof Readable) source.destroy();
  else await iterator.return?.(undefined);
}
