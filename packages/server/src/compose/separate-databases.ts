import { FluxError, isFluxError } from '@flux/contract/errors';
import type { OpenedCatalog } from '../catalog/open.ts';
import type { SharedCluster } from '../engines/shared/cluster.ts';
import { connectPostgres } from '../postgres/connect.ts';
import type { Log } from '../system/log.ts';

/**
 * What tells one database from another, whatever the addresses are. A copy of a cluster has its identifier and its oids (instances of Flux
 * are copies of one), and not every login may read the identifier; the moment, in microseconds, at which a server was started tells them apart.
 */
const IDENTITY = `select d.oid::text as oid, extract(epoch from pg_postmaster_start_time())::text as started,
  case when has_function_privilege('pg_control_system()', 'execute') then (select system_identifier::text from pg_control_system()) end as system
  from pg_database d where d.datname = current_database()`;

interface Identity {
  readonly oid: string;
  readonly started: string;
  readonly system: string | null;
}

/**
 * Refuses a catalog that is the database of the pool: tenants can take advisory locks and send notifications in it, and with those the lease
 * of a worker and the queue could be disturbed by any of them.
 *
 * @throws FluxError `config_invalid`
 */
async function requireSeparate(catalog: OpenedCatalog, cluster: SharedCluster): Promise<void> {
  const [ofCatalog] = (await catalog.executeSql(IDENTITY)).rows as Identity[];
  await using session = await connectPostgres(cluster.admin());
  const [ofPool] = await session.query<Identity & Record<string, unknown>>(IDENTITY);
  if (ofCatalog === undefined || ofPool === undefined) return;
  const isSameServer = ofCatalog.started === ofPool.started && (ofCatalog.system ?? ofPool.system) === (ofPool.system ?? ofCatalog.system);
  if (!isSameServer || ofCatalog.oid !== ofPool.oid) return;
  throw new FluxError(
    'config_invalid',
    'FLUX_CATALOG_URL and FLUX_SHARED_POSTGRES_URL name the same database: the projects of the pool could disturb the catalog with their locks and notifications.',
    {
      hint: 'Set one of them to another database, which may be on the same server. A catalog that is there already is moved with pg_dump and pg_restore: it is the schemas public and pgboss.',
    },
  );
}

/** Separates a pool from the catalog: compares them as soon as both answer, and at the latest before the pool is used. */
export interface Separation {
  /** Call before anything of the catalog is changed. @throws FluxError `config_invalid` */
  check(catalog: OpenedCatalog): Promise<void>;
  /** The pool, which is not opened while it is the catalog. */
  readonly cluster: SharedCluster;
}

export function separate(pool: SharedCluster, log: Log): Separation {
  let catalog: OpenedCatalog | undefined;
  let isSeparate = false;
  const compare = async () => {
    if (catalog === undefined || isSeparate) return;
    await requireSeparate(catalog, pool);
    isSeparate = true;
  };
  return {
    check: async (opened) => {
      catalog = opened;
      try {
        if ((await pool.status()).state !== 'missing') await compare();
      } catch (error) {
        if (isFluxError(error, 'config_invalid')) throw error;
        log.warn({ err: error }, 'the pool does not answer; that it is not the catalog is checked before it is used');
      }
    },
    cluster: {
      ...pool,
      open: async (signal) => {
        if (!isSeparate && (await pool.status(signal)).state !== 'missing') await compare();
        await pool.open(signal);
      },
    },
  };
}
