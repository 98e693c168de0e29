import type { FastifyInstance } from 'fastify';
import type { ApiDoors } from './doors.ts';

/** For supervisors and dashboards; none of it needs a token, none of it tells anything about projects. */
export function registerHealthRoutes(app: FastifyInstance, doors: ApiDoors): void {
  app.get('/healthz', async () => ({ ok: true, version: doors.version }));
  app.get('/readyz', async (_request, reply) => {
    const problem = await findProblem(doors);
    return problem === undefined ? { ok: true } : reply.status(503).send({ ok: false, problem });
  });
  app.get('/metrics', async (_request, reply) =>
    reply.type(doors.metrics.registry.contentType).send(await doors.metrics.registry.metrics()),
  );
}

/** Why nothing should be sent here at the moment. */
async function findProblem({ catalog, lease, stopping }: ApiDoors): Promise<string | undefined> {
  if (stopping.aborted) return 'the control plane is stopping';
  if (!lease.isHeld()) return 'the control plane has lost its lease in the catalog and is taking a new one';
  return catalog.executeSql('select 1').then(
    () => undefined,
    () => 'the catalog does not answer',
  );
}
