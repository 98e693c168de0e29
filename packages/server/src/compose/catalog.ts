import { FluxError } from '@flux/contract/errors';
import { type Catalog, type CatalogConnection, type OpenOptions, openCatalog } from '../catalog/open.ts';
import type { Config } from '../config.ts';
import type { InstanceRuntime } from '../instances/instance.ts';
import { connectPostgres } from '../postgres/connect.ts';
import type { Log } from '../system/log.ts';

const INSTANCE = 'catalog';
const DATABASE = 'flux_catalog';

export interface CatalogParts {
  readonly config: Pick<Config, 'catalogUrl'>;
  readonly runtime: InstanceRuntime;
  readonly defaultMajor: () => number;
  readonly log: Log;
}

/** Opens the catalog: the one of FLUX_CATALOG_URL, or an instance of our own that is created on the first start. */
export async function composeCatalog({ config, runtime, defaultMajor, log }: CatalogParts, options: OpenOptions): Promise<Catalog> {
  const connection =
    config.catalogUrl === undefined
      ? await embeddedCatalog(runtime, defaultMajor, options.tables)
      : { connectionString: config.catalogUrl };
  return openCatalog(connection, (error) => log.warn({ err: error }, 'a connection to the catalog broke'), options);
}

async function embeddedCatalog(
  runtime: InstanceRuntime,
  defaultMajor: () => number,
  tables: OpenOptions['tables'],
): Promise<CatalogConnection> {
  const status = await runtime.status(INSTANCE);
  if (status.state === 'missing' && tables === 'leave')
    throw new FluxError('catalog_outdated', 'There is no catalog in the data folder, and nothing is to be changed now.', {
      hint: 'Put back the data folder, or set FLUX_CATALOG_URL to the catalog. A start makes an empty catalog, and lists what was found.',
    });
  if (status.state === 'missing') await runtime.create({ id: INSTANCE, major: defaultMajor(), network: 'none' });
  else await runtime.start(INSTANCE);
  await using session = await connectPostgres(runtime.superuser(INSTANCE));
  const [found] = await session.query('select 1 from pg_database where datname = $1', [DATABASE]);
  if (found === undefined) await session.run(`create database ${DATABASE}`);
  const { host, port, user, password } = runtime.superuser(INSTANCE, DATABASE);
  return { host, port, user, password, database: DATABASE };
}
