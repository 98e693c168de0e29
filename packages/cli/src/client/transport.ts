import http from 'node:http';
import https from 'node:https';
import { StringDecoder } from 'node:string_decoder';
import { FluxError, isFluxError } from '@flux/contract/errors';
import type { ByteSource, HttpRequest, HttpResponse, HttpTransport } from '@flux/contract/transport';

/** A transport with connections of its own. */
export interface NodeTransport {
  readonly send: HttpTransport;
  /** Ends idle connections, so that the process can end. */
  close(): void;
}

const CONNECT_MS = 10_000;

/**
 * Sends HTTP requests with `node:http`. Not with `fetch`: it gives up after 300 s without a header or a byte, which cannot be
 * configured, and a push may take longer; it also takes 20 ms to load.
 */
export function createTransport(): NodeTransport {
  // TCP keep-alive notices a dead peer while a request waits without a limit.
  const agents = { http: new http.Agent({ keepAlive: true }), https: new https.Agent({ keepAlive: true }) };

  const send = async (request: HttpRequest): Promise<HttpResponse> => {
    try {
      return await sendOnce(request, agents);
    } catch (error) {
      if (!(error instanceof StaleConnection)) throw error;
      // The server closed an idle connection at the moment we reused it, or it ended in the middle of our request: tried again on a
      // new one. A key keeps what changes something from being done twice.
      return await sendOnce(request, agents).catch((failure: unknown) => {
        // Nobody is there any more, and the first one may have arrived.
        throw request.method !== 'GET' && isFluxError(failure, 'unreachable')
          ? lostContact(new URL(request.url), 'the connection broke', failure)
          : failure;
      });
    }
  };
  return {
    send,
    close() {
      agents.http.destroy();
      agents.https.destroy();
    },
  };
}

class StaleConnection extends Error {}

function sendOnce(request: HttpRequest, agents: { readonly http: http.Agent; readonly https: https.Agent }): Promise<HttpResponse> {
  return new Promise((resolve, reject) => {
    const url = new URL(request.url);
    const isTls = url.protocol === 'https:';
    const body = typeof request.body === 'string' ? Buffer.from(request.body) : request.body;
    const sizeBytes = body === null || Buffer.isBuffer(body) ? body?.length : body.sizeBytes;
    const outgoing = (isTls ? https : http).request(url, {
      method: request.method,
      agent: isTls ? agents.https : agents.http,
      headers: { ...request.headers, ...(sizeBytes === undefined ? {} : { 'content-length': sizeBytes }) },
      ...(request.signal === null ? {} : { signal: request.signal as AbortSignal }),
    });
    let isConnected = false;
    const connectTimer = setTimeout(
      () => outgoing.destroy(unreachable(url, `no connection within ${CONNECT_MS / 1000} s`)),
      CONNECT_MS,
    ).unref();
    const connected = (): void => {
      isConnected = true;
      clearTimeout(connectTimer);
    };
    const fail = (error: Error): void => {
      clearTimeout(connectTimer);
      if (request.signal?.aborted === true) reject(request.signal.reason);
      else if (isFluxError(error)) reject(error);
      else if (!isConnected) reject(unreachable(url, reasonOf(error), error));
      else if (outgoing.reusedSocket && codeOf(error) === 'ECONNRESET') reject(new StaleConnection());
      else reject(lostContact(url, reasonOf(error), error));
    };

    outgoing.on('socket', (socket) => {
      if (!socket.connecting) connected();
      else socket.once(isTls ? 'secureConnect' : 'connect', connected);
    });
    if (request.idleMs !== null) {
      const idleMs = request.idleMs;
      outgoing.setTimeout(idleMs, () => outgoing.destroy(lostContact(url, `no data for ${idleMs / 1000} s`)));
    }
    outgoing.on('error', fail);
    if (body === null || Buffer.isBuffer(body)) {
      outgoing.on('response', (incoming) => resolve(wrap(incoming, url, request)));
      outgoing.end(body ?? undefined);
      return;
    }
    outgoing.on('response', (incoming) => {
      // An answer before the last byte refuses the rest of it; the connection has no other use then.
      if (!outgoing.writableEnded) incoming.once('end', () => outgoing.destroy());
      resolve(wrap(incoming, url, request));
    });
    sendBytes(outgoing, body).catch((error: Error) => outgoing.destroy(error));
  });
}

/** Sends bytes as fast as they are taken, until there is an answer. */
async function sendBytes(outgoing: http.ClientRequest, source: ByteSource): Promise<void> {
  let isOver = false;
  const over = new Promise<void>((resolve) => {
    for (const event of ['response', 'close'])
      outgoing.once(event, () => {
        isOver = true;
        resolve();
      });
  });
  for await (const chunk of source.open()) {
    if (isOver) return;
    if (outgoing.write(chunk)) continue;
    await Promise.race([over, new Promise((resolve) => outgoing.once('drain', resolve))]);
  }
  if (!isOver) outgoing.end();
}

function wrap(incoming: http.IncomingMessage, url: URL, request: HttpRequest): HttpResponse {
  async function* bytes(): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of incoming) yield chunk as Uint8Array;
    } catch (error) {
      if (request.signal?.aborted === true) throw request.signal.reason;
      throw isFluxError(error) ? error : lostContact(url, reasonOf(error), error);
    }
  }
  async function* textChunks(): AsyncGenerator<string> {
    const decoder = new StringDecoder('utf8');
    for await (const chunk of bytes()) yield decoder.write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    yield decoder.end();
  }
  return {
    status: incoming.statusCode ?? 0,
    header: (name) => {
      const value = incoming.headers[name.toLowerCase()];
      return value === undefined ? null : Array.isArray(value) ? value.join(', ') : value;
    },
    bytes,
    textChunks,
    async text() {
      let text = '';
      for await (const chunk of textChunks()) text += chunk;
      return text;
    },
  };
}

function unreachable(url: URL, reason: string, cause?: unknown): FluxError {
  return new FluxError('unreachable', `The control plane at ${url.origin} does not answer: ${reason}.`, {
    hint: 'Start it with `npm start`, or set another address with FLUX_API_BASE or --api-base.',
    cause,
  });
}

function lostContact(url: URL, reason: string, cause?: unknown): FluxError {
  return new FluxError('lost_contact', `Contact with ${url.origin} was lost: ${reason}.`, { cause });
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
}

/** The reason in words; an AggregateError (one try per address of a name) has none of its own. */
function reasonOf(error: unknown): string {
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error;
  const code = codeOf(first) ?? codeOf(error);
  if (code === 'ECONNREFUSED') return 'connection refused';
  if (code === 'ENOTFOUND') return 'the host name does not exist';
  if (code === 'ECONNRESET') return 'the connection broke';
  return first instanceof Error && first.message !== '' ? first.message : (code ?? 'unknown reason');
}
