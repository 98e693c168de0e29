import { type CutRelay, startCutRelay } from './cut-relay.ts';
import { type Flux, startFlux } from './flux.ts';
import { psql, startThrowAwayCluster, type ThrowAwayCluster } from './postgres.ts';

/** A control plane whose catalog lies in a cluster of the test's own. */
export interface FluxWithCatalog extends AsyncDisposable {
  readonly flux: Flux;
  readonly cluster: ThrowAwayCluster;
  readonly url: string;
  /** What Flux reaches it through. */
  readonly relay: CutRelay;
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
  const relay = parts.use(await startCutRelay(Number(new URL(url).port)));
  const relayed = new URL(url);
  relayed.port = String(relay.port);
  const flux = parts.use(await startFlux({ env: { FLUX_CATALOG_URL: relayed.href, FLUX_VERIFY_STANDBY: 'off' } }));
  const all = parts.move();
  return {
    flux,
    cluster,
    url,
    relay,
    query: async (sql) => (await psql(url, sql)).trim(),
    refusal: () =>
      flux.start().then(
        () => '',
        (error: Error) => error.message,
      ),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}
