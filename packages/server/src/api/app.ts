import { randomUUID } from 'node:crypto';
import { FluxError } from '@flux/contract/errors';
import { API_PREFIX } from '@flux/contract/routes';
import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify';
import { registerAccessRoutes } from './access.ts';
import { createAdmission } from './admission.ts';
import { registerBackupRoutes } from './backups.ts';
import { registerDestructiveRoutes } from './destroy.ts';
import { registerDoctorRoutes } from './doctor.ts';
import type { ApiDoors } from './doors.ts';
import { registerDownloadRoute } from './download.ts';
import { renderErrors } from './errors.ts';
import { registerHealthRoutes } from './health.ts';
import { parseJsonBody } from './json-body.ts';
import { registerOpenApi } from './openapi.ts';
import { registerOperationRoutes } from './operations.ts';
import { registerProjectRoutes } from './projects.ts';
import { registerKeyDocument, registerReceiptRoutes } from './receipts.ts';
import { registerRestoreRoutes } from './restore.ts';
import { createRouter } from './router.ts';

/** Where a route does not say otherwise. */
const BODY_LIMIT_BYTES = 2 ** 20;

/** Builds the HTTP floor without listening. */
export function buildApp(doors: ApiDoors): FastifyInstance {
  const app = Fastify({
    logger: false,
    bodyLimit: BODY_LIMIT_BYTES,
    genReqId: () => randomUUID(),
    // A synchronous create may take hours; only the arrival of a request is bounded.
    requestTimeout: 300_000,
    connectionTimeout: 0,
    forceCloseConnections: true,
  });
  renderErrors(app, doors.log);
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id);
    reply.header('x-content-type-options', 'nosniff');
  });
  app.addHook('onResponse', async (request, reply) => {
    doors.log.debug(
      {
        requestId: request.id,
        method: request.method,
        route: request.routeOptions.url,
        status: reply.statusCode,
        ms: Math.round(reply.elapsedTime),
      },
      'request',
    );
    doors.metrics.requests.inc({ route: request.routeOptions.url ?? 'none', status: String(reply.statusCode) });
  });
  app.setNotFoundHandler((request) => {
    throw new FluxError('not_found', `There is no ${request.method} ${request.url.split('?')[0]}.`, {
      hint: 'The routes are listed at /api/openapi.json.',
    });
  });
  app.addContentTypeParser('application/json', { parseAs: 'string' }, async (_request: FastifyRequest, body: string) =>
    parseJsonBody(body),
  );
  const router = createRouter(app, doors, createAdmission(doors), API_PREFIX);
  registerAccessRoutes(router, doors);
  registerProjectRoutes(router, doors);
  registerBackupRoutes(router, doors);
  registerDestructiveRoutes(router, doors);
  registerRestoreRoutes(router, doors);
  registerDownloadRoute(router, doors);
  registerReceiptRoutes(router, doors);
  registerOperationRoutes(router, doors);
  registerDoctorRoutes(router, doors);
  registerHealthRoutes(app, doors);
  registerKeyDocument(app, doors);
  registerOpenApi(app, doors);
  return app;
}
