import { FluxError, isFluxError } from '@flux/contract/errors';
import { Kysely, PostgresDialect, type Transaction } from 'kysely';
import { Migrator } from 'kysely/migration';
import { type Client, Pool, types } from 'pg';
import { CatalogClient, catalogError } from './client.ts';
import { createListener, type Listener } from './listener.ts';
import * as initial from './migrations/001-initial.ts';
import * as migrationState from './migrations/002-migration-state.ts';
import * as changeMarks from './migrations/003-change-marks.ts';
import * as undoExpire from './migrations/004-kept-expire.ts';
import * as operations from './migrations/005-operations.ts';
import * as copies from './migrations/006-copies.ts';
import * as leftOut from './migrations/007-left-out.ts';
import * as backupOrigin from './migrations/008-backup-origin.ts';
import * as pushPolicy from './migrations/010-push-policy.ts';
import * as projectScope from './migrations/011-project-scope.ts';
import * as importedBackups from './migrations/012-imported-backups.ts';
import * as pace from './migrations/021-pace.ts';
import type { CatalogTables } from './tables.ts';
import { breakConnection, watchedClients } from './watched-client.ts';

/** Queries on the catalog; a transaction has the same shape. */
export type Database = Kysely<CatalogTables>;
/** Queries within one transaction. */
export type DatabaseTransaction = Transaction<CatalogTables>;

/** The control plane's own database: the one truth about projects, backups and operations. */
export interface Catalog {
  readonly db: Database;
  /** Tells of changes that other connections and processes have committed. */
  readonly listener: Listener;
  /** Plain SQL for the queue, whose tables are in a schema of their own. */
  executeSql(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>;
  /** A connection of its own, held for as long as the process lives: its session locks tell that the process is alive. */
  connect(): Promise<Client>;
  close(): Promise<void>;
}

/**
 * Connects to the catalog and brings its tables up to date; several servers may do so at once (the migrator takes a lock).
 *
 * @throws FluxError `catalog_unavailable`
 */
export async function openCatalog(connection: CatalogConnection, onError: (error: Error) => void): Promise<Catalog> {
  const settings = {
    ...connection,
    application_name: 'flux-catalog',
    types: { getTypeParser } as never,
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  };
  const pool = new Pool({ ...settings, Client: watchedClients(settings) as never, max: 12, idleTimeoutMillis: 60_000 });
  pool.on('error', onError);
  const open = new Set<Client>();
  pool.on('connect', (client) => open.add(client as Client));
  pool.on('remove', (client) => open.delete(client as Client));
  const connectPooled = () => pool.connect().catch((error) => Promise.reject(catalogError(error, true)));
  const db = new Kysely<CatalogTables>({
    dialect: new PostgresDialect({ pool: { connect: connectPooled, end: () => pool.end(), options: pool.options } }),
  });
  try {
    await migrate(db);
    const listener = await createListener(() => new CatalogClient(settings), onError);
    return {
      db,
      listener,
      executeSql: async (text, values) => {
        const client = await connectPooled();
        // A client whose connection broke is one that the pool must not hand out again.
        return client.query(text, values).then(
          (answer) => {
            client.release();
            return answer;
          },
          (error) => {
            client.release(isFluxError(error, 'catalog_unavailable'));
            throw error;
          },
        );
      },
      connect: async () => {
        const client = new CatalogClient(settings);
        client.on('error', onError);
        try {
          await client.connect();
        } catch (error) {
          throw catalogError(error, true);
        }
        return client;
      },
      close: async () => {
        await listener.close();
        // A server that hangs does not say goodbye.
        const late = setTimeout(() => open.forEach(breakConnection), CLOSE_MS);
        await db.destroy().finally(() => clearTimeout(late));
      },
    };
  } catch (error) {
    await db.destroy().catch(() => undefined);
    throw new FluxError(
      'catalog_unavailable',
      `The catalog database cannot be used: ${error instanceof Error ? error.message : String(error)}`,
      {
        hint: 'Check FLUX_CATALOG_URL, or the log of the catalog instance in the data folder.',
        cause: error,
      },
    );
  }
}

const CLOSE_MS = 2000;

/** How to reach the catalog: parts, or a URI. */
export type CatalogConnection =
  | { readonly connectionString: string }
  | {
      readonly host: string;
      readonly port: number;
      readonly user: string;
      readonly password?: string | undefined;
      readonly database: string;
    };

const MIGRATIONS = {
  '001-initial': { up: initial.up },
  '002-migration-state': { up: migrationState.up },
  '003-change-marks': { up: changeMarks.up },
  '004-kept-expire': { up: undoExpire.up },
  '005-operations': { up: operations.up },
  '006-copies': { up: copies.up },
  '007-left-out': { up: leftOut.up },
  '008-backup-origin': { up: backupOrigin.up },
  '010-push-policy': { up: pushPolicy.up },
  '011-project-scope': { up: projectScope.up },
  '012-imported-backups': { up: importedBackups.up },
  '021-pace': { up: pace.up },
};

async function migrate(db: Database): Promise<void> {
  const migrator = new Migrator({
    db,
    provider: { getMigrations: async () => MIGRATIONS },
    migrationTableName: 'catalog_migrations',
    migrationLockTableName: 'catalog_migration_lock',
  });
  const { error } = await migrator.migrateToLatest();
  if (error !== undefined) throw error;
}

const INT8 = 20;

/** 64-bit integers become numbers: sizes and counts are exact up to 2^53, and a catalog never holds more. */
function getTypeParser(oid: number, format?: 'text' | 'binary'): unknown {
  return oid === INT8 ? Number : types.getTypeParser(oid, format as 'text');
}
