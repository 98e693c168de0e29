import type { FastifyInstance } from 'fastify';
import type { ApiDoors } from './doors.ts';

/** For supervisors and dashboards; none of it needs a token, none of it tells anything about projects. */
export function registerHealthRoutes(app: FastifyInstance, doors: ApiDoors): void {
  app.get('/healthz', async () => ({ ok: true, version: doors.version }));
  app.get('/readyz', async (_request, reply) => {
    try {
      await doors.catalog.executeSql('select 1');
      return { ok: !doors.stopping.aborted };
    } catch {
      return reply.status(503).send({ ok: false, problem: 'the catalog does not answer' });
    }
  });
  app.get('/metrics', async (_request, reply) =>
    reply.type(doors.metrics.registry.contentType).send(await doors.metrics.registry.metrics()),
  );
}
