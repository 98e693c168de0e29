import { type Catalog, openCatalog } from '../../src/catalog/open.ts';
import { startCluster, type TestCluster } from '../postgres/cluster.ts';

/** A catalog in a cluster of its own. */
export interface TestCatalog extends AsyncDisposable {
  readonly cluster: TestCluster;
  readonly catalog: Catalog;
}

/** Starts a cluster and opens an empty catalog in it. Disposing of it ends both. */
export async function openTestCatalog(): Promise<TestCatalog> {
  await using parts = new AsyncDisposableStack();
  const cluster = parts.use(await startCluster());
  const { host, port, user, database } = await cluster.createDatabase('catalog');
  const catalog = await openCatalog({ host, port, user, database }, () => undefined);
  parts.defer(() => catalog.close());
  const all = parts.move();
  return { cluster, catalog, [Symbol.asyncDispose]: () => all.disposeAsync() };
}
