import { FluxError, isFluxError, toProblem } from '@flux/contract/errors';
import type { FastifyInstance } from 'fastify';
import type { Log } from '../system/log.ts';

/** An embedded catalog that died is back after some seconds. */
const RETRY_AFTER_S = '5';

/** Answers every error as `application/problem+json`; what is a defect of ours goes to the log as well. */
export function renderErrors(app: FastifyInstance, log: Log): void {
  app.setErrorHandler((error, request, reply) => {
    const known = translate(error, request.routeOptions.bodyLimit);
    if (known.code === 'internal')
      log.error({ err: error, requestId: request.id, route: request.routeOptions.url }, 'request failed by a defect');
    if (known.code === 'not_authenticated' || known.code === 'token_malformed') reply.header('www-authenticate', 'Bearer');
    const retryAfter = known.details.retryAfterSeconds;
    if (known.code === 'rate_limited' && typeof retryAfter === 'number') reply.header('retry-after', String(retryAfter));
    if (known.code === 'catalog_unavailable') reply.header('retry-after', RETRY_AFTER_S);
    // Fastify would close the connection while the client is still sending, and the client would never see this answer. What is
    // left of the body is read and thrown away instead, for as long as a request may take to arrive.
    if (known.code === 'payload_too_large') reply.removeHeader('connection');
    return reply
      .status(known.status)
      .type('application/problem+json')
      .send(JSON.stringify(toProblem(known, request.id)));
  });
}

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
    hint: 'The log of the control plane has it under this request id.',
  });
}
