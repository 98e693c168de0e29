import { Readable } from 'node:stream';

/** A chunk of a container's output. */
export interface Piece {
  readonly stream: 'stdout' | 'stderr';
  readonly bytes: Buffer;
}

/** Header of a frame: stream, three zeros, length. Source: Engine API, attach to a container, stream format. */
const HEADER_BYTES = 8;
const STDERR = 2;

/**
 * Demultiplexes the output of an attached container. A slow reader makes the container wait: unlike in the library's own demultiplexer,
 * nothing is buffered here.
 */
export async function* readPieces(source: Readable): AsyncGenerator<Piece> {
  let rest: Buffer = Buffer.alloc(0);
  let remaining = 0;
  let stream: Piece['stream'] = 'stdout';
  for await (const chunk of source) {
    let bytes: Buffer = rest.length === 0 ? (chunk as Buffer) : Buffer.concat([rest, chunk as Buffer]);
    while (bytes.length > 0) {
      if (remaining === 0) {
        if (bytes.length < HEADER_BYTES) break;
        stream = bytes[0] === STDERR ? 'stderr' : 'stdout';
        remaining = bytes.readUInt32BE(4);
        bytes = bytes.subarray(HEADER_BYTES);
        continue;
      }
      const piece = bytes.subarray(0, remaining);
      remaining -= piece.length;
      bytes = bytes.subarray(piece.length);
      yield { stream, bytes: piece };
    }
    rest = bytes;
  }
  if (remaining > 0 || rest.length > 0) throw new Error('the connection to Docker broke in the middle of the output of a container');
}

/** The text of a log that the engine returned as a whole. */
export async function textOf(log: Buffer): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of readPieces(Readable.from([log]))) pieces.push(piece.bytes);
  return Buffer.concat(pieces).toString('utf8');
}
