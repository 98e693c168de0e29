import { Readable } from 'node:stream';

/**
 * The same bytes, but `next` rejects as soon as the signal aborts, also while the source says nothing. The source is closed then;
 * nobody waits for it, since a source that is stuck would not answer.
 *
 * One listener for the whole source: `Promise.race` with one promise that lives as long as the source would collect a reaction for
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
          // Not a good end: an abort that came together with the last byte wins.
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

/** Closes a source that will not be read on. The iterator of a stream would first wait for its next chunk, so a stream is destroyed. */
export async function closeSource(source: AsyncIterable<Buffer>, iterator: AsyncIterator<Buffer>): Promise<void> {
  if (source instanceof Readable) source.destroy();
  else await iterator.return?.(undefined);
}
