import { Counter, collectDefaultMetrics, Registry } from 'prom-client';

/** The metrics at `/metrics`. */
export interface Metrics {
  readonly registry: Registry;
  readonly requests: Counter<'route' | 'status'>;
  readonly operations: Counter<'kind' | 'state'>;
}

/** Creates the metrics of the process. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: 'flux_' });
  return {
    registry,
    requests: new Counter({
      name: 'flux_http_requests_total',
      help: 'Requests by route and status.',
      labelNames: ['route', 'status'],
      registers: [registry],
    }),
    operations: new Counter({
      name: 'flux_operations_total',
      help: 'Operations that ended, by kind and state.',
      labelNames: ['kind', 'state'],
      registers: [registry],
    }),
  };
}
