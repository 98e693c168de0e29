import { createHash } from 'node:crypto';
import { Transform } from 'node:stream';

/** Passes bytes through unchanged while it counts and hashes them. */
export interface DigestStream extends Transform {
  /** Bytes seen so far. */
  readonly sizeBytes: number;
  /** SHA-256 in lowercase hex; call once, after the stream has ended. */
  finish(): string;
}

/** Makes a stream that computes the SHA-256 of what flows through it. */
export function createDigestStream(onBytes?: (total: number) => void): DigestStream {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  const stream = new Transform({
    highWaterMark: 1 << 20,
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      sizeBytes += chunk.length;
      onBytes?.(sizeBytes);
      done(null, chunk);
    },
  });
  return Object.defineProperties(stream, {
    sizeBytes: { get: () => sizeBytes },
    finish: { value: () => hash.digest('hex') },
  }) as unknown as DigestStream;
}
