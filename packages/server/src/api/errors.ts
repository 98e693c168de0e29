import type { Socket } from 'node:net';
import { leaveOutNulls } from '@flux/contract/cli-v1/absence';
import { CLI_V1_PREFIX } from '@flux/contract/cli-v1/routes';
import { FluxError, isFluxError, toProblem } from '@flux/contract/errors';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Log } from '../system/log.ts';
import { forReader } from './reasons.ts';
import { discardLittle } from './receive.ts';
import { SECURITY_HEADERS } from './security-headers.ts';

/** An embedded catalog that crashed is restarted within seconds, and so is a control plane that a supervisor starts again. */
const RETRY_AFTER_S = '5';

/** Answers every error as `application/problem+json`; defects are logged as well. */
export function renderErrors(app: FastifyInstance, log: Log): void {
  app.setErrorHandler((error, request, reply) => sendProblem(error, request, reply, log));
}

/** Answers with an error, whatever was thrown. */
export function sendProblem(error: unknown, request: FastifyRequest, reply: FastifyReply, log: Log): FastifyReply {
  const translated = translate(error, request.routeOptions.bodyLimit);
  if (translated.details.forOperators !== undefined)
    log.info({ requestId: request.id, reason: translated.details.forOperators }, 'a Postgres server could not be reached');
  const known = forReader(translated, request.mayReadReasons === true);
  if (known.code === 'internal')
    log.error({ err: error, requestId: request.id, route: request.routeOptions.url }, 'a request failed because of a defect');
  if (known.code === 'not_authenticated' || known.code === 'token_malformed') reply.header('www-authenticate', 'Bearer');
  const retryAfter = known.details.retryAfterSeconds;
  if (typeof retryAfter === 'number') reply.header('retry-after', String(retryAfter));
  if (known.code === 'catalog_unavailable' || known.code === 'stopping') reply.header('retry-after', RETRY_AFTER_S);
  // Fastify would close the connection while the client is still sending, and the client would never see this answer. The rest
  // of the body is read and discarded instead, within the timeout for receiving a request.
  if (known.code === 'payload_too_large') reply.removeHeader('connection');
  // Of somebody who may not send anything, next to nothing is read; nor while nobody can say who it is, because the catalog is away.
  const isUnknown = known.status >= 500 && request.mayReadReasons === undefined;
  if (isUnknown || REFUSED.has(known.code)) discardLittle(request, reply);
  const problem = toProblem(known, request.id);
  return reply
    .status(known.status)
    .type('application/problem+json')
    .send(JSON.stringify(request.url.startsWith(CLI_V1_PREFIX) ? leaveOutNulls(problem) : problem));
}

const REFUSED: ReadonlySet<string> = new Set([
  'not_authenticated',
  'token_malformed',
  'forbidden',
  'rate_limited',
  'misdirected',
  'not_found',
]);

function translate(error: unknown, bodyLimitBytes: number): FluxError {
  if (isFluxError(error)) return error;
  const { statusCode, message } = error as { statusCode?: number; message?: string };
  if (statusCode === 413)
    return new FluxError('payload_too_large', `The body is larger than ${bodyLimitBytes / 2 ** 20} MiB.`, {
      hint:
        bodyLimitBytes > 2 ** 20
          ? 'Split the file, or load the data with psql or pg_restore.'
          : 'Only a push may send more; see /api/openapi.json for what this route takes.',
    });
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500)
    return new FluxError('invalid_request', message ?? 'The request cannot be read.');
  return new FluxError('internal', 'Unexpected error: the control plane has a defect.', {
    hint: 'Report it with the entry of this request id in the log of the control plane.',
  });
}

/** Codes of Node for requests that are not HTTP, or too slow. */
const UNREADABLE: Readonly<Record<string, readonly [status: string, detail: string]>> = {
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large', 'The headers of the request are larger than 16 KiB.'],
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'The request has not arrived in time.'],
};

/** Answers what is no HTTP request, for which there is no request object. */
export function answerUnreadable(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
  const [status, detail] = UNREADABLE[error.code ?? ''] ?? ['400 Bad Request', 'This is not an HTTP request.'];
  const problem = { ...toProblem(new FluxError('invalid_request', detail)), status: Number(status.slice(0, 3)) };
  const headers = { ...SECURITY_HEADERS, 'content-type': 'application/problem+json', connection: 'close' };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  socket.end([`HTTP/1.1 ${status}`, ...lines, '', JSON.stringify(problem)].join('\r\n'), () => socket.destroy());
}
