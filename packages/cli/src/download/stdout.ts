import { createHash } from 'node:crypto';
import type { Writable } from 'node:stream';
import { FluxError } from '@flux/contract/errors';
import { type ArtifactIdentity, type ArtifactSink, type FetchOptions, fetchArtifact } from './source.ts';

/**
 * Downloads an artifact to a stream and checks it. Bytes that were written cannot be recalled, so a difference is an
 * error at the end, and a broken connection is only resumed when the same artifact continues.
 *
 * @throws FluxError `download_failed` when the digest differs; `local_file` when the reader went away
 */
export async function downloadToStream(stream: Writable, options: FetchOptions): Promise<ArtifactIdentity> {
  const hash = createHash('sha256');
  let length = 0;
  let broken: Error | null = null;
  stream.on('error', (error) => {
    broken = error;
  });
  const sink: ArtifactSink = {
    get length() {
      return length;
    },
    async write(chunk) {
      await new Promise<void>((resolve, reject) => {
        stream.write(chunk, (error) => (error == null && broken === null ? resolve() : reject(readerGone(error ?? broken))));
      });
      hash.update(chunk);
      length += chunk.length;
    },
    async restart() {
      throw new FluxError('download_failed', `The connection broke after ${length} bytes and the download cannot be resumed.`, {
        hint: 'What was written is NOT a backup. Try again, with -o <path>.',
      });
    },
  };
  const identity = await fetchArtifact(sink, options);
  const digest = hash.digest('hex');
  if (digest === identity.sha256) return identity;
  throw new FluxError(
    'download_failed',
    `What was written to standard output is NOT the artifact: SHA-256 ${digest}, expected ${identity.sha256}.`,
    {
      hint: 'Delete it, and try again with -o <path>.',
    },
  );
}

function readerGone(cause: unknown): FluxError {
  return new FluxError('local_file', 'The reader of standard output went away before all bytes were written.', {
    hint: 'The bytes it received are NOT a complete backup.',
    cause,
  });
}
