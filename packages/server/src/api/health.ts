import { CLI_V1_PREFIX } from '@flux/contract/cli-v1/routes';
import { FluxError } from '@flux/contract/errors';
import type { FastifyInstance } from 'fastify';
import type { Admission } from './admission.ts';
import type { HealthDeps } from './deps.ts';

/** For so long an answer of `/readyz` is given again. */
const SHARED_MS = 100;
/** Where existing clients ask whether there is a control plane. */
const LEGACY_HEALTH = ['/health', '/api/health', `${CLI_V1_PREFIX}/health`];

/** Routes for supervisors and monitoring. They need no token, but for the metrics where the operator wants one, and reveal nothing about projects. */
export function registerHealthRoutes(app: FastifyInstance, deps: HealthDeps, admission: Admission): void {
  // Not counted: a supervisor may have the address of a proxy, and a flood from there must not have it restart the control plane.
  const config = { isAdmitted: true };
  for (const path of ['/healthz', ...LEGACY_HEALTH]) app.get(path, { config }, async () => ({ ok: true, version: deps.version }));
  const ask = shareForAWhile(() => findProblem(deps));
  app.get('/readyz', { config }, async (_request, reply) => {
    const problem = await ask();
    return problem === undefined ? { ok: true } : reply.status(503).send({ ok: false, problem });
  });
  const { metricsFor, metrics } = deps;
  if (metricsFor === 'off') return;
  app.get('/metrics', {
    config: { isAdmitted: metricsFor === 'token' },
    onRequest: async (request) => {
      if (metricsFor === 'token') await admission.admit({ access: 'server.metrics' }, request);
      if (metricsFor === 'loopback' && !isLoopback(request.ip)) throw notHere();
    },
    handler: async (_request, reply) => reply.type(metrics.registry.contentType).send(await metrics.registry.metrics()),
  });
}

const isLoopback = (address: string) => /^(?:127\.|::1$|::ffff:127\.)/.test(address);

function notHere(): FluxError {
  return new FluxError('forbidden', 'The metrics are for programs on the host of the control plane only.', {
    hint: 'Set FLUX_METRICS=token on the control plane, and send a token.',
  });
}

/** Requests at the same time, and a moment later, are told the same. */
function shareForAWhile<T>(ask: () => Promise<T>): () => Promise<T> {
  let last: { readonly at: number; readonly answer: Promise<T> } | undefined;
  return () => {
    if (last === undefined || performance.now() - last.at >= SHARED_MS) last = { at: performance.now(), answer: ask() };
    return last.answer;
  };
}

/** Why the server is not ready. */
async function findProblem({ catalog, lease, stopping }: HealthDeps): Promise<string | undefined> {
  if (stopping.aborted) return 'the control plane is stopping';
  if (catalog.mode === 'read-only') return 'a newer Flux has written the catalog, so this one only reads it';
  if (!lease.isHeld()) return 'the control plane has lost its lease in the catalog and is taking a new one';
  return catalog.executeSql('select 1').then(
    () => undefined,
    () => 'the catalog does not answer',
  );
}
