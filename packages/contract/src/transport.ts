/** The part of AbortSignal that a client uses. */
export interface AbortSignalLike {
  readonly aborted: boolean;
  readonly reason: unknown;
}

/** Bytes that are sent while they are read. */
export interface ByteSource {
  readonly sizeBytes: number;
  /** Begins at the first byte; called again when a request is repeated. */
  open(): AsyncIterable<Uint8Array>;
}

/** One HTTP request, ready to go. */
export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | ByteSource | null;
  readonly signal: AbortSignalLike | null;
  /** Timeout without any bytes received, in milliseconds, before and during the answer; null waits forever. */
  readonly idleMs: number | null;
}

/** One HTTP answer. Call exactly one of `text`, `textChunks` and `bytes`; leaving an iteration early closes the connection. */
export interface HttpResponse {
  readonly status: number;
  header(name: string): string | null;
  text(): Promise<string>;
  /** The body, decoded as UTF-8, chunk by chunk. */
  textChunks(): AsyncIterable<string>;
  /** The body, chunk by chunk. */
  bytes(): AsyncIterable<Uint8Array>;
}

/**
 * Sends a request. The caller provides it, because this package depends on neither Node nor a browser.
 *
 * MUST NOT follow redirects (they would forward the token), and MUST reject with `unreachable` when no connection was established
 * and with `lost_contact` when one was established and broke; with the signal's reason when aborted.
 */
export type HttpTransport = (request: HttpRequest) => Promise<HttpResponse>;
