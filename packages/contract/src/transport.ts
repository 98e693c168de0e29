/** What a client needs of an abort signal; the one of the platform fits. */
export interface AbortSignalLike {
  readonly aborted: boolean;
  readonly reason: unknown;
}

/** One HTTP request, ready to go. */
export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
  readonly signal: AbortSignalLike | null;
  /** Longest silence in milliseconds, before the answer and within it; null waits for ever. */
  readonly idleMs: number | null;
}

/** One HTTP answer. Exactly one of `text`, `textChunks` and `bytes` may be called; leaving an iteration early closes the connection. */
export interface HttpResponse {
  readonly status: number;
  header(name: string): string | null;
  text(): Promise<string>;
  /** The body as decoded UTF-8, as it arrives. */
  textChunks(): AsyncIterable<string>;
  /** The body as it arrives. */
  bytes(): AsyncIterable<Uint8Array>;
}

/**
 * Sends a request. It is handed in, because this package knows neither Node nor a browser.
 *
 * MUST NOT follow redirects (the token would go with them), and MUST reject with `unreachable` when no connection was made
 * and with `lost_contact` when one was made and broke; with the signal's reason when aborted.
 */
export type HttpTransport = (request: HttpRequest) => Promise<HttpResponse>;
