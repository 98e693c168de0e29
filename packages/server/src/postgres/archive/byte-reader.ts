import { open } from 'node:fs/promises';
import { FluxError } from '@flux/contract/errors';

/** Reads forward through untrusted bytes and tracks its position, for error messages. */
export interface ByteReader {
  /** Offset of the next byte. */
  readonly position: number;
  /** Buffers `count` bytes so that they can be taken; false at the end of the bytes. `count` is at most a few hundred KiB. */
  fill(count: number): Promise<boolean>;
  /** Takes one byte. Only after `fill`. */
  takeByte(): number;
  /** Takes `count` bytes as a view that is valid until the next `fill`. Only after `fill`. */
  takeBytes(count: number): Buffer;
  /** How many bytes can be taken without `fill`. */
  readonly available: number;
  /** Skips bytes. @throws FluxError `artifact_invalid` when there are fewer */
  skip(count: number): Promise<void>;
}

/** Creates the error for bytes that are not an archive. `position` counts from 0. */
export function damagedAt(position: number, what: string): FluxError {
  return new FluxError('artifact_invalid', `The archive is damaged at byte ${position}: ${what}`, {
    hint: 'Create a new backup with `flux backup create`; this one cannot be restored.',
    details: { byte: position },
  });
}

/** Reads from a stream of chunks; buffers no more than one chunk and what `fill` asked for. */
export function createByteReader(chunks: AsyncIterator<Buffer>, onBytes?: (total: number) => void): ByteReader {
  let buffer: Buffer = Buffer.alloc(0);
  let offset = 0;
  let received = 0;
  let skipped = 0;
  const next = async (): Promise<Buffer | undefined> => {
    const chunk = await chunks.next();
    if (chunk.done) return undefined;
    received += chunk.value.length;
    onBytes?.(received);
    return chunk.value;
  };
  const reader: ByteReader = {
    get position() {
      return skipped + offset;
    },
    get available() {
      return buffer.length - offset;
    },
    async fill(count) {
      while (buffer.length - offset < count) {
        const chunk = await next();
        if (chunk === undefined) return false;
        const rest = buffer.subarray(offset);
        skipped += offset;
        offset = 0;
        buffer = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      }
      return true;
    },
    takeByte: () => buffer[offset++] as number,
    takeBytes(count) {
      offset += count;
      return buffer.subarray(offset - count, offset);
    },
    async skip(count) {
      let left = count;
      for (;;) {
        const here = Math.min(left, buffer.length - offset);
        offset += here;
        left -= here;
        if (left === 0) return;
        const chunk = await next();
        if (chunk === undefined) throw damagedAt(reader.position, `it ends ${left} bytes too early`);
        skipped += offset;
        offset = 0;
        buffer = chunk;
      }
    },
  };
  return reader;
}

const CHUNK_BYTES = 1 << 20;

/**
 * The bytes of a file, in chunks of 1 MiB.
 *
 * @throws FluxError `artifact_gone` when there is no such file, `volume_unusable` when it cannot be read
 */
export async function* readFileInChunks(path: string, signal?: AbortSignal): AsyncGenerator<Buffer, undefined> {
  signal?.throwIfAborted();
  const file = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'ENOENT'
      ? new FluxError('artifact_gone', 'The file of this backup does not exist.', { cause: error })
      : unreadable(error);
  });
  try {
    for (;;) {
      signal?.throwIfAborted();
      const { buffer, bytesRead } = await file
        .read({ buffer: Buffer.allocUnsafe(CHUNK_BYTES), length: CHUNK_BYTES })
        .catch((error: NodeJS.ErrnoException) => {
          throw unreadable(error);
        });
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

function unreadable(error: NodeJS.ErrnoException): FluxError {
  return new FluxError('volume_unusable', `The file of this backup cannot be read: ${error.code ?? error.message}.`, { cause: error });
}
