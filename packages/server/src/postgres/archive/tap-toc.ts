import type { Readable } from 'node:stream';
import { createByteReader } from './byte-reader.ts';
import { type ArchiveToc, readToc } from './toc.ts';

/** An archive on its way from pg_dump to where it is stored. */
export interface TappedArchive {
  /** The same bytes, unchanged. Ends with the error of the source, or `artifact_invalid` when its table of contents cannot be read. */
  readonly bytes: AsyncIterable<Buffer>;
  /** Settles when `bytes` has ended, or before. */
  readonly toc: Promise<ArchiveToc>;
}

/**
 * Reads the table of contents of an archive while it passes: as pg_dump writes it, before anybody else can have it. Nothing is kept but the
 * piece that is being read, and behind the table of contents nothing is looked at any more.
 */
export function tapToc(source: Readable): TappedArchive {
  let requested: ((piece: IteratorResult<Buffer, undefined>) => void) | undefined;
  let progress = Promise.withResolvers<void>();
  let isRead = false;
  const tell = () => {
    progress.resolve();
    progress = Promise.withResolvers();
  };
  const next = () =>
    new Promise<IteratorResult<Buffer, undefined>>((resolve) => {
      requested = resolve;
      tell();
    });
  const toc = readToc(createByteReader({ next })).finally(() => {
    isRead = true;
    tell();
  });
  // Whoever stores the bytes may never ask for it.
  toc.catch(() => undefined);
  /** Waits until the reader has read what it got before. */
  const give = async (piece: IteratorResult<Buffer, undefined>) => {
    while (!isRead && requested === undefined) await progress.promise;
    requested?.(piece);
    requested = undefined;
  };
  const end = async () => await give({ done: true, value: undefined });

  const pass = (pieces: AsyncIterator<Buffer>): AsyncIterator<Buffer, undefined> => ({
    next: async () => {
      try {
        const piece = await pieces.next();
        if (!isRead) await give(piece.done === true ? { done: true, value: undefined } : piece);
        if (piece.done !== true) return piece;
        await toc;
        return { done: true, value: undefined };
      } catch (error) {
        await end();
        throw error;
      }
    },
    // The iterator of a stream would first wait for its next piece.
    return: async () => {
      source.destroy();
      await end();
      return { done: true, value: undefined };
    },
  });
  return { bytes: { [Symbol.asyncIterator]: () => pass(source[Symbol.asyncIterator]()) }, toc };
}
