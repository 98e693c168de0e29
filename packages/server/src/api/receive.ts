import type { Readable } from 'node:stream';
import { FluxError } from '@flux/contract/errors';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The body is a file of any size: it has no time limit as a whole, only one without any bytes. */
    receivesFile?: boolean;
    /** Requests are counted by their token, once it is known; elsewhere by their address. */
    isAdmitted?: boolean;
  }
}

/** The time for receiving a request, and the time without any bytes of a file. */
const RECEIVE_MS = 300_000;

/** The type of a body that is a file. */
const FILE_TYPE = 'application/octet-stream';

/** Cuts the connection of a request that takes too long to arrive. Node has one limit for a whole server, and a file may take hours. */
export function limitReceiving(app: FastifyInstance): void {
  app.addHook('onRequest', async ({ raw, routeOptions }) => {
    if (routeOptions.config.receivesFile === true) return;
    const timer = setTimeout(() => raw.complete || raw.destroy(), RECEIVE_MS);
    raw.once('close', () => clearTimeout(timer));
  });
}

/** What is read and thrown away of the body of a refused request, so that its sender can read the answer. */
const DISCARDED = { bytes: 4 * 2 ** 20, ms: 5000, lookEveryMs: 5 };

/** Cuts the connection of a refused request that goes on sending. */
export function discardLittle({ raw }: FastifyRequest, reply: FastifyReply): void {
  if (raw.complete) return;
  reply.raw.once('finish', () => {
    // Node reads the rest itself from here on, without telling.
    const { socket } = raw;
    const atFirst = socket.bytesRead;
    const until = performance.now() + DISCARDED.ms;
    const look = () => {
      if (raw.complete || socket.destroyed) return;
      if (socket.bytesRead - atFirst > DISCARDED.bytes || performance.now() > until) raw.destroy();
      else setTimeout(look, DISCARDED.lookEveryMs);
    };
    look();
  });
}

/** Hands the body of a file to the handler of its route, unread. */
export function acceptFiles(app: FastifyInstance): void {
  app.addContentTypeParser(FILE_TYPE, (_request, payload, done) => done(null, payload));
}

/** The file that a request sends. */
export interface ArrivingFile {
  readonly bytes: AsyncIterable<Buffer>;
  /** As its sender has announced it; Node reads no more than that. */
  readonly sizeBytes: number | undefined;
}

/**
 * Lets work read the file that a request sends. When the work fails, the rest of the file is read and discarded, so that the client can
 * read why.
 *
 * @throws FluxError `invalid_request` when there is no file; whatever `work` throws
 */
export async function receiveFile<T>({ body, raw }: FastifyRequest, work: (file: ArrivingFile) => Promise<T>): Promise<T> {
  if (body !== raw)
    throw new FluxError('invalid_request', `The body of this request is the file itself, sent as ${FILE_TYPE}.`, {
      hint: 'Nothing was imported. `flux backup import <file>` sends it.',
    });
  const { socket } = raw;
  const giveUp = () => raw.destroy(new Error(`no bytes have arrived for ${RECEIVE_MS / 1000} s`));
  socket.setTimeout(RECEIVE_MS, giveUp);
  // A reader that stops early must not close the connection.
  const bytes: AsyncIterable<Buffer> = { [Symbol.asyncIterator]: () => (raw as Readable).iterator({ destroyOnReturn: false }) };
  try {
    const announced = raw.headers['content-length'];
    return await work({ bytes, sizeBytes: announced === undefined ? undefined : Number(announced) });
  } catch (error) {
    raw.resume();
    throw error;
  } finally {
    // The connection may carry further requests, and would keep the listener.
    socket.setTimeout(0);
    socket.off('timeout', giveUp);
  }
}
