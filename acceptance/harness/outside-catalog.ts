import { type Flux, startFlux } from './flux.ts';
import { psql, startThrowAwayCluster, type ThrowAwayCluster } from './postgres.ts';

/** A control plane whose catalog lies in a cluster of the test's own. */
export interface FluxWithCatalog extends AsyncDisposable {
  readonly flux: Flux;
  readonly cluster: ThrowAwayCluster;
  readonly url: string;
  /** Runs SQL in the catalog. */
  query(sql: string): Promise<string>;
  /** Starts the server, which must refuse. @returns what it says, empty when it has started */
  refusal(): Promise<string>;
}

/** @param settings of the cluster, as in postgresql.conf */
export async function startFluxWithCatalog(settings: Readonly<Record<string, string>> = {}): Promise<FluxWithCatalog> {
  await using parts = new AsyncDisposableStack();
  const cluster = parts.use(await startThrowAwayCluster({ settings }));
  await psql(cluster.uri('postgres'), 'create database catalog');
  const url = cluster.uri('catalog');
  const flux = parts.use(await startFlux({ env: { FLUX_CATALOG_URL: url, FLUX_VERIFY_STANDBY: 'off' } }));
  const all = parts.move();
  return {
    flux,
    cluster,
    url,
    query: async (sql) => (await psql(url, sql)).trim(),
    refusal: () =>
      flux.start().then(
        () => '',
        (error: Error) => error.message,
      ),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}
