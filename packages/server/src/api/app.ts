import { randomUUID } from 'node:crypto';
import { CLI_V1_PREFIX } from '@flux/contract/cli-v1/routes';
import { API_PREFIX } from '@flux/contract/endpoints';
import { FluxError } from '@flux/contract/errors';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { answerFor } from '../system/stray-errors.ts';
import { createAdmission } from './admission.ts';
import { createBoundedServer } from './bounded-server.ts';
import { registerProjectTokenRoutes } from './cli-v1/project-token.ts';
import { registerCliV1 } from './cli-v1/register.ts';
import type { ApiDeps } from './deps.ts';
import { answerUnreadable, renderErrors, sendProblem } from './errors.ts';
import { registerHealthRoutes } from './health.ts';
import { createHostCheck } from './hosts.ts';
import { parseJsonBody } from './json-body.ts';
import { registerKeyDocument } from './key-document.ts';
import { registerOpenApi } from './openapi.ts';
import { createRateLimit } from './rate-limit.ts';
import { acceptFiles, limitReceiving } from './receive.ts';
import { createRouter } from './router.ts';
import { SECURITY_HEADERS } from './security-headers.ts';
import { trackAnswers } from './track-answers.ts';
import { registerImportRoute } from './v1/import.ts';
import { registerV1 } from './v1/register.ts';

/** The limit of a body where its route sets none. */
const BODY_LIMIT_BYTES = 2 ** 20;

/** For how long a stop waits for answers that clients are slow to take. */
const LAST_ANSWERS_MS = 5000;

/** Builds the HTTP server without listening: our own API, and the one for existing clients. */
export function buildApp(deps: ApiDeps): FastifyInstance {
  const { http, health } = deps;
  const app = Fastify({
    logger: false,
    serverFactory: (handler) => createBoundedServer(handler, http.limits.connections),
    frameworkErrors: (error, request, reply) => void sendProblem(error, request, reply.headers(SECURITY_HEADERS), http.log),
    clientErrorHandler: answerUnreadable,
    bodyLimit: BODY_LIMIT_BYTES,
    genReqId: () => randomUUID(),
    // A synchronous create may take hours; only receiving a request has a timeout, which `limitReceiving` sets.
    requestTimeout: 0,
    connectionTimeout: 0,
    forceCloseConnections: true,
  });
  renderErrors(app, http.log);
  limitReceiving(app);
  const answering = trackAnswers();
  const rate = createRateLimit(http.limits.ratePerMinute);
  const checkHost = createHostCheck(http.limits.hosts);
  // Work that a stop has interrupted says so to whoever waits for it; only then are connections cut.
  app.addHook('preClose', () => answering.settled(LAST_ANSWERS_MS));
  app.addHook('onRequest', async (request, reply) => {
    answering.add(reply);
    reply.header('x-request-id', request.id);
    reply.headers(SECURITY_HEADERS);
    checkHost(request.headers.host);
    if (request.url.includes('%00')) throw new FluxError('invalid_request', 'The address of the request contains a NUL character.');
    if (request.routeOptions.config.isAdmitted !== true) rate.take(request.ip);
  });
  // Everything that a request begins belongs to it, for errors that nobody handles.
  app.addHook('onRequest', (request, reply, done) => answerFor(() => endRequest(request, reply), done));
  app.addHook('onResponse', async (request, reply) => {
    http.log.debug(
      {
        requestId: request.id,
        method: request.method,
        route: request.routeOptions.url,
        status: reply.statusCode,
        ms: Math.round(reply.elapsedTime),
      },
      'request',
    );
    health.metrics.requests.inc({ route: request.routeOptions.url ?? 'none', status: String(reply.statusCode) });
  });
  app.setNotFoundHandler((request) => {
    throw new FluxError('not_found', `There is no ${request.method} ${request.url.split('?')[0]}.`, {
      hint: 'The routes are listed at /api/openapi.json.',
    });
  });
  app.addContentTypeParser('application/json', { parseAs: 'string' }, async (_request: FastifyRequest, body: string) =>
    parseJsonBody(body),
  );
  const admission = createAdmission(http, rate);
  registerV1(createRouter(app, http, admission, API_PREFIX), deps);
  // A scope of its own: no other route accepts a file.
  app.register(async (scope) => {
    acceptFiles(scope);
    registerImportRoute(createRouter(scope, http, admission, API_PREFIX), deps.backups);
  });
  registerCliV1(createRouter(app, http, admission, CLI_V1_PREFIX), deps);
  registerProjectTokenRoutes(app, http, rate, deps.projects);
  registerHealthRoutes(app, health, admission);
  registerKeyDocument(app, deps.account);
  registerOpenApi(app, health);
  return app;
}

/** An error that escaped from something which the request had begun. The answer may have been sent long ago. */
function endRequest(request: FastifyRequest, reply: FastifyReply): void {
  if (!reply.sent) reply.send(new Error('an error was not handled'));
  else if (!reply.raw.writableEnded) request.raw.destroy();
}
