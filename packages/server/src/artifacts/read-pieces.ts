import type { FileHandle } from 'node:fs/promises';

/** The bytes of an artifact in order. `return` closes it; whoever does not read to the end MUST call it. */
export interface ArtifactPieces extends AsyncIterableIterator<Buffer, undefined> {
  return(): Promise<IteratorResult<Buffer, undefined>>;
}

const PIECE_BYTES = 1 << 20;

/**
 * Reads a file into two buffers in turn: a piece is valid until the one after the next is asked for. A new buffer for each
 * piece would make the garbage collector walk the whole heap every few of them, which took four times as long as reading.
 *
 * @param end exclusive
 */
export function readPieces(file: FileHandle, start: number, end: number, failed: (error: unknown) => unknown): ArtifactPieces {
  const buffers = [Buffer.allocUnsafeSlow(Math.min(PIECE_BYTES, end - start)), Buffer.allocUnsafeSlow(Math.min(PIECE_BYTES, end - start))];
  let position = start;
  let turn = 0;
  let isClosed = false;
  const close = async (): Promise<IteratorResult<Buffer, undefined>> => {
    if (!isClosed) {
      isClosed = true;
      await file.close();
    }
    return { done: true, value: undefined };
  };
  return {
    async next() {
      if (isClosed || position >= end) return close();
      turn = 1 - turn;
      const buffer = buffers[turn] as Buffer;
      try {
        const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, end - position), position);
        if (bytesRead === 0) return await close();
        position += bytesRead;
        return { done: false, value: buffer.subarray(0, bytesRead) };
      } catch (error) {
        await close();
        throw failed(error);
      }
    },
    return: close,
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
