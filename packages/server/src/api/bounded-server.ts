import { createServer, type RequestListener, type Server, type ServerOptions } from 'node:http';
import type { Socket } from 'node:net';

/** How many connections may be open. */
export interface ConnectionLimits {
  readonly all: number;
  readonly perAddress: number;
}

/** The time for the headers of a request, counted from the opening of its connection, and how often that is looked at. */
const HEADERS_MS = 20_000;
const CHECK_MS = 2000;

const BUSY = [
  'HTTP/1.1 503 Service Unavailable',
  'Content-Type: application/problem+json',
  'Retry-After: 5',
  'Connection: close',
  '',
  '{"type":"urn:flux:error:rate_limited","title":"Too many requests.","status":503,"detail":"Too many connections.","error":"Too many connections.","code":"rate_limited"}',
].join('\r\n');

/** Creates the HTTP server: connections that send no request are closed, and no address can have all of them. */
export function createBoundedServer(handler: RequestListener, { all, perAddress }: ConnectionLimits): Server {
  const options: ServerOptions = {
    headersTimeout: HEADERS_MS,
    requestTimeout: 0,
    connectionsCheckingInterval: CHECK_MS,
    keepAliveTimeout: 72_000,
  };
  const server = createServer(options, handler);
  server.maxConnections = all;
  const counts = new Map<string, number>();
  server.on('connection', (socket: Socket) => {
    const address = socket.remoteAddress ?? '';
    const count = (counts.get(address) ?? 0) + 1;
    counts.set(address, count);
    socket.once('close', () => {
      const left = (counts.get(address) ?? 1) - 1;
      if (left > 0) counts.set(address, left);
      else counts.delete(address);
    });
    if (count <= perAddress) return;
    socket.on('error', () => undefined);
    socket.end(BUSY, () => socket.destroy());
  });
  return server;
}
