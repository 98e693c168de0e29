import { type Catalog, type CatalogConnection, openCatalog } from '../catalog/open.ts';
import type { Config } from '../config.ts';
import type { InstanceRuntime } from '../instances/instance.ts';
import { connectPostgres } from '../postgres/connect.ts';
import type { Log } from '../system/log.ts';

const INSTANCE = 'catalog';
const DATABASE = 'flux_catalog';

/** Opens the catalog: the one of FLUX_CATALOG_URL, or an instance of our own that is created on the first start. */
export async function composeCatalog(config: Config, runtime: InstanceRuntime, defaultMajor: () => number, log: Log): Promise<Catalog> {
  const connection =
    config.catalogUrl === undefined ? await embeddedCatalog(runtime, defaultMajor) : { connectionString: config.catalogUrl };
  return openCatalog(connection, (error) => log.warn({ err: error }, 'a connection to the catalog broke'));
}

async function embeddedCatalog(runtime: InstanceRuntime, defaultMajor: () => number): Promise<CatalogConnection> {
  const status = await runtime.status(INSTANCE);
  if (status.state === 'missing') await runtime.create({ id: INSTANCE, major: defaultMajor(), network: 'none' });
  else await runtime.start(INSTANCE);
  await using session = await connectPostgres(runtime.superuser(INSTANCE));
  const [found] = await session.query('select 1 from pg_database where datname = $1', [DATABASE]);
  if (found === undefined) await session.run(`create database ${DATABASE}`);
  const { host, port, user, password } = runtime.superuser(INSTANCE, DATABASE);
  return { host, port, user, password, database: DATABASE };
}
