import type { OutgoingHttpHeaders } from 'node:http';
import { FluxError } from '@flux/contract/errors';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Download } from '../backups/download.ts';
import type { BlobPieces } from '../blobs/store.ts';

/** After so long without a byte taken, a download ends. */
const STALLED_MS = 300_000;
/** Downloads of one token at the same time: each keeps pieces in memory and a file open. */
const AT_ONCE = 20;
const underway = new Map<string, number>();

/**
 * Sends an artifact, or the requested part of it: length, strong ETag and digest (RFC 9110, RFC 9530).
 *
 * @param onBegin is told which bytes are sent, before the first of them: what cannot be recorded is not sent
 * @throws FluxError `range_not_satisfiable`; `rate_limited` when too many downloads of the token go on
 */
export async function sendDownload(
  request: FastifyRequest,
  reply: FastifyReply,
  download: Download,
  { backupId, tokenId }: { readonly backupId: string; readonly tokenId: string },
  onBegin: (bytes: object) => Promise<void>,
): Promise<unknown> {
  const etag = `"${download.sha256}"`;
  reply.headers({
    'content-type': 'application/octet-stream',
    'content-disposition': `attachment; filename="${download.filename}"`,
    'accept-ranges': 'bytes',
    'repr-digest': `sha-256=:${Buffer.from(download.sha256, 'hex').toString('base64')}:`,
    'cache-control': 'private, no-transform',
    'x-flux-backup-id': backupId,
    etag,
  });
  const range = readRange(request, etag, download.sizeBytes);
  if (range === 'unsatisfiable') {
    reply.header('content-range', `bytes */${download.sizeBytes}`);
    throw new FluxError('range_not_satisfiable', `The range is not within the ${download.sizeBytes} bytes of the artifact.`, {
      hint: 'Request it without a range, or with a range that begins before the end.',
    });
  }
  if (range === undefined) {
    reply.header('content-length', download.sizeBytes);
    return counted(tokenId, () =>
      sendPieces(
        request,
        reply,
        () => download.open(),
        () => onBegin({ all: download.sizeBytes }),
      ),
    );
  }
  reply.status(206);
  reply.header('content-range', `bytes ${range.start}-${range.end}/${download.sizeBytes}`);
  reply.header('content-length', range.end - range.start + 1);
  return counted(tokenId, () =>
    sendPieces(
      request,
      reply,
      () => download.open(range),
      () => onBegin({ from: range.start, to: range.end }),
    ),
  );
}

/** @throws FluxError `rate_limited` */
async function counted<T>(tokenId: string, send: () => Promise<T>): Promise<T> {
  const others = underway.get(tokenId) ?? 0;
  if (others >= AT_ONCE)
    throw new FluxError(
      'rate_limited',
      `${others} downloads of this token go on, and no more may at the same time. Wait for one of them.`,
      {
        hint: 'Run the command again when one has ended.',
        details: { retryAfterSeconds: 10 },
      },
    );
  underway.set(tokenId, others + 1);
  try {
    return await send();
  } finally {
    const left = (underway.get(tokenId) ?? 1) - 1;
    if (left > 0) underway.set(tokenId, left);
    else underway.delete(tokenId);
  }
}

/** Sends the body. From here on an error can only be signalled by breaking the connection, which the client detects by the length. */
async function sendPieces(
  request: FastifyRequest,
  reply: FastifyReply,
  open: () => Promise<BlobPieces>,
  record: () => Promise<void>,
): Promise<unknown> {
  const pieces = request.method === 'HEAD' ? undefined : await open();
  try {
    if (pieces !== undefined) await record();
  } catch (error) {
    await pieces?.return();
    throw error;
  }
  reply.hijack();
  const { raw } = reply;
  // A client that does not read keeps pieces in memory, a file open, and the space of a backup that is deleted meanwhile.
  const { socket } = raw;
  const stalled = () => raw.destroy(new Error(`nothing was read for ${STALLED_MS / 1000} s`));
  socket?.setTimeout(STALLED_MS, stalled);
  raw.writeHead(reply.statusCode, reply.getHeaders() as OutgoingHttpHeaders);
  const gone = new Promise<never>((_, reject) => raw.once('close', () => reject(new Error('the client disconnected'))));
  gone.catch(() => undefined);
  try {
    let sent: Promise<void> = Promise.resolve();
    for await (const piece of pieces ?? []) {
      // One piece is read while the previous one is being sent; no buffer is reused before its bytes have been written.
      await Promise.race([sent, gone]);
      sent = new Promise((resolve, reject) => raw.write(piece, (error) => (error == null ? resolve() : reject(error))));
      sent.catch(() => undefined);
    }
    await Promise.race([sent, gone]);
    raw.end();
  } catch (error) {
    request.log.info({ err: error }, 'a download was cut off');
    raw.destroy();
  } finally {
    socket?.setTimeout(0);
    socket?.off('timeout', stalled);
    await pieces?.return();
  }
  return reply;
}

/** One range, or none: a request for several ranges gets the whole file, as RFC 9110 allows. */
function readRange(request: FastifyRequest, etag: string, sizeBytes: number): { start: number; end: number } | 'unsatisfiable' | undefined {
  const ifRange = request.headers['if-range'];
  if (ifRange !== undefined && ifRange !== etag) return undefined;
  const match = /^bytes=(\d*)-(\d*)$/.exec(request.headers.range ?? '');
  if (match === null || (match[1] === '' && match[2] === '')) return undefined;
  const [, first = '', last = ''] = match;
  const start = first === '' ? Math.max(0, sizeBytes - Number(last)) : Number(first);
  const end = first === '' || last === '' ? sizeBytes - 1 : Math.min(Number(last), sizeBytes - 1);
  return start >= sizeBytes || start > end ? 'unsatisfiable' : { start, end };
}
