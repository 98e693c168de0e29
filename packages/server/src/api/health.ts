import { CLI_V1_PREFIX } from '@flux/contract/cli-v1/routes';
import type { FastifyInstance } from 'fastify';
import type { HealthDeps } from './deps.ts';

/** Where existing clients ask whether there is a control plane. */
const LEGACY_HEALTH = ['/health', '/api/health', `${CLI_V1_PREFIX}/health`];

/** Routes for supervisors and monitoring. They need no token and reveal nothing about projects. */
export function registerHealthRoutes(app: FastifyInstance, deps: HealthDeps): void {
  for (const path of ['/healthz', ...LEGACY_HEALTH]) app.get(path, async () => ({ ok: true, version: deps.version }));
  app.get('/readyz', async (_request, reply) => {
    const problem = await findProblem(deps);
    return problem === undefined ? { ok: true } : reply.status(503).send({ ok: false, problem });
  });
  app.get('/metrics', async (_request, reply) => reply.type(deps.metrics.registry.contentType).send(await deps.metrics.registry.metrics()));
}

/** Why the server is not ready. */
async function findProblem({ catalog, lease, stopping }: HealthDeps): Promise<string | undefined> {
  if (stopping.aborted) return 'the control plane is stopping';
  if (!lease.isHeld()) return 'the control plane has lost its lease in the catalog and is taking a new one';
  return catalog.executeSql('select 1').then(
    () => undefined,
    () => 'the catalog does not answer',
  );
}
