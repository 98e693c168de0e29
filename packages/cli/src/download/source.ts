import type { FluxClient } from '@flux/contract/client';
import { FluxError, isFluxError } from '@flux/contract/errors';
import type { HttpResponse } from '@flux/contract/transport';

/** The identity of an artifact: its digest and its length. */
export interface ArtifactIdentity {
  /** Lowercase hex. */
  readonly sha256: string;
  readonly sizeBytes: number;
}

/** Where the bytes are written. The sink also computes their digest. */
export interface ArtifactSink {
  /** Bytes that are there already; a download resumes after them. */
  readonly length: number;
  write(chunk: Uint8Array): Promise<void>;
  /** Discards everything, because all bytes will be sent again. @throws FluxError where that cannot be done */
  restart(): Promise<void>;
}

/** How to fetch. */
export interface FetchOptions {
  readonly client: FluxClient;
  readonly hash: string;
  readonly backupId: string;
  /** The artifact that an earlier, interrupted download belongs to, when known. */
  readonly known: ArtifactIdentity | null;
  readonly signal: AbortSignal;
  readonly delay: (ms: number) => Promise<void>;
  readonly onProgress: (done: number, total: number) => void;
  readonly onRetry: (attempt: number, reason: string) => void;
}

const MAX_RETRIES = 5;
const FIRST_DELAY_MS = 500;

/**
 * Fetches an artifact into a sink until all bytes are there, resuming after a broken connection with Range and If-Range.
 * The digest is not compared here.
 *
 * @returns digest and length of the artifact, as the control plane gave them
 * @throws FluxError `download_failed`; `lost_contact` or `unreachable` after the last retry; what the server answers instead (404, 410)
 */
export async function fetchArtifact(sink: ArtifactSink, options: FetchOptions): Promise<ArtifactIdentity> {
  let identity = options.known;
  let retries = 0;
  // An earlier run may have received every byte without checking them.
  if (identity !== null && sink.length === identity.sizeBytes) return identity;
  for (;;) {
    try {
      const opened = await openAt(sink, identity, options);
      // Set before the first byte: from here on, a broken download can be resumed.
      identity = opened.identity;
      await drain(opened.response, sink, identity, options);
      if (sink.length === identity.sizeBytes) return identity;
      throw new FluxError('lost_contact', `the body ended after ${sink.length} of ${identity.sizeBytes} bytes`);
    } catch (error) {
      if (options.signal.aborted || !isFluxError(error)) throw error;
      const isBroken = error.code === 'lost_contact' || (error.code === 'unreachable' && (sink.length > 0 || retries > 0));
      if (!isBroken) throw error;
      retries += 1;
      if (retries > MAX_RETRIES) {
        throw new FluxError(error.code, `The download broke ${retries} times; the last time: ${error.message.replace(/\.$/, '')}.`, {
          cause: error,
        });
      }
      options.onRetry(retries, error.message);
      await options.delay(FIRST_DELAY_MS * 2 ** (retries - 1));
    }
  }
}

/** Opens the download behind what the sink has, or, when that belongs to another artifact, from the start with an empty sink. */
async function openAt(
  sink: ArtifactSink,
  known: ArtifactIdentity | null,
  options: FetchOptions,
): Promise<{ readonly response: HttpResponse; readonly identity: ArtifactIdentity }> {
  const from = known === null ? 0 : sink.length;
  const response = await request(sink, from, known === null ? null : `"${known.sha256}"`, options);
  const identity = identify(response, from);
  if (response.status === 206) {
    if (known === null || identity.sha256 !== known.sha256) {
      throw new FluxError('download_failed', 'The control plane continued with another artifact.', {
        hint: 'Remove the .partial file and try again.',
      });
    }
  } else if (sink.length > 0) await sink.restart();
  return { response, identity };
}

async function drain(
  response: HttpResponse,
  sink: ArtifactSink,
  { sizeBytes }: ArtifactIdentity,
  { onProgress }: FetchOptions,
): Promise<void> {
  for await (const chunk of response.bytes()) {
    if (sink.length + chunk.length > sizeBytes) {
      throw new FluxError('download_failed', `More bytes came than the ${sizeBytes} that were announced.`, { hint: 'Try again.' });
    }
    await sink.write(chunk);
    onProgress(sink.length, sizeBytes);
  }
}

async function request(sink: ArtifactSink, from: number, ifRange: string | null, options: FetchOptions): Promise<HttpResponse> {
  const { client, hash, backupId, signal } = options;
  const response = await client.download(hash, backupId, { from, ifRange, signal });
  if (response.status !== 416) return response;
  // The partial file is longer than the artifact, so it belongs to another one.
  await sink.restart();
  return await client.download(hash, backupId, { from: 0, ifRange: null, signal });
}

/** @throws FluxError `download_failed` for an answer that cannot be checked: bytes without a known digest are not a backup */
function identify(response: HttpResponse, from: number): ArtifactIdentity {
  const sha256 = digestOf(response);
  if (sha256 === null) {
    throw new FluxError('download_failed', 'The answer has no SHA-256 of the artifact, so it could not be checked.', {
      hint: 'Something between here and the control plane may change answers; check FLUX_API_BASE.',
    });
  }
  const sizeBytes = response.status === 206 ? totalOfRange(response, from) : Number(response.header('content-length') ?? Number.NaN);
  if (!Number.isSafeInteger(sizeBytes))
    throw new FluxError('download_failed', 'The answer does not say how long the artifact is.', { hint: 'Try again.' });
  if (sizeBytes === 0)
    throw new FluxError('download_failed', 'The artifact that was offered has 0 bytes; that is not a backup.', {
      hint: 'See `flux backup list --verbose`.',
    });
  return { sha256, sizeBytes };
}

function totalOfRange(response: HttpResponse, from: number): number {
  const match = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(response.header('content-range') ?? '');
  if (match === null || Number(match[1]) !== from) {
    throw new FluxError('download_failed', `The answer does not continue at byte ${from}.`, {
      hint: 'Remove the .partial file and try again.',
    });
  }
  return Number(match[3]);
}

function digestOf(response: HttpResponse): string | null {
  const etag = /^"([0-9a-f]{64})"$/i.exec(response.header('etag') ?? '')?.[1];
  if (etag !== undefined) return etag.toLowerCase();
  const digest = /\bsha-256=:([A-Za-z0-9+/]{43}=):/.exec(response.header('repr-digest') ?? '')?.[1];
  return digest === undefined ? null : Buffer.from(digest, 'base64').toString('hex');
}
