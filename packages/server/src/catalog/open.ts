import { FluxError, isFluxError } from '@flux/contract/errors';
import type { Kysely, Transaction } from 'kysely';
import { Migrator } from 'kysely/migration';
import { type Client, type ClientConfig, types } from 'pg';
import { CatalogClient, connectError, endClient } from './client.ts';
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
import * as quotas from './migrations/022-quotas.ts';
import * as installation from './migrations/030-installation.ts';
import { openSessionPool, type SessionBounds } from './session-pool.ts';
import type { CatalogTables } from './tables.ts';
import { type CatalogVersion, readCatalogVersion, requireNothingMissing, SCHEMA_VERSION } from './version.ts';

/** Queries on the catalog; a transaction has the same shape. */
export type Database = Kysely<CatalogTables>;
/** Queries within one transaction. */
export type DatabaseTransaction = Transaction<CatalogTables>;

/** The control plane's own database: the one truth about projects, backups and operations. */
export interface Catalog {
  /** `read-only` when a newer Flux has written it: every write fails with `catalog_newer`. */
  readonly mode: 'read-write' | 'read-only';
  readonly db: Database;
  /** Tells of changes that other connections and processes have committed. */
  readonly listener: Listener;
  /** Plain SQL for the queue, whose tables are in a schema of their own. */
  executeSql(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>;
  /** The same catalog for what a client waits for: it is told within seconds that somebody else has locked what it needs. */
  forRequests(): Catalog;
  /** The same catalog for work that must not be given up because somebody else holds a lock for a while. */
  forWork(): Catalog;
  /** A connection of its own, held for as long as the process lives: its session locks tell that the process is alive. */
  connect(): Promise<Client>;
  close(): Promise<void>;
}

/** The part of a catalog that is there before its tables are up to date. */
export type OpenedCatalog = Pick<Catalog, 'db' | 'executeSql'>;

export interface OpenOptions {
  /** Called before anything is changed, since the catalog may be another's: throws when it must not be used. */
  readonly check?: (catalog: OpenedCatalog) => Promise<void>;
  /** `leave`: refuses a catalog whose tables would have to be brought up to date. */
  readonly tables?: 'update' | 'leave';
}

/** Nothing that Flux does holds a lock for nearly as long: it is held by a session of somebody else, or by one that was forgotten. */
const REQUEST_BOUNDS: SessionBounds = { lock_timeout: 10_000, statement_timeout: 30_000 };
const WORK_BOUNDS: SessionBounds = { lock_timeout: 60_000 };

/**
 * Connects to the catalog and brings its tables up to date; several servers may do so at once (the migrator takes a lock). One that a
 * newer Flux has written is opened for reading where that is possible.
 *
 * @throws FluxError `catalog_unavailable`, `catalog_newer`, `catalog_outdated`, and what `check` throws
 */
export async function openCatalog(
  connection: CatalogConnection,
  onError: (error: Error) => void,
  { check, tables = 'update' }: OpenOptions = {},
): Promise<Catalog> {
  const version = await findVersion(connection);
  if (tables === 'leave') requireNothingMissing(version);
  const { mode } = version;
  const settings = {
    ...connection,
    ...(mode === 'read-only' ? { options: '-c default_transaction_read_only=on' } : {}),
    application_name: 'flux-catalog',
    types: { getTypeParser } as never,
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  };
  const work = openSessionPool(settings, WORK_BOUNDS, onError);
  const requests = openSessionPool(settings, REQUEST_BOUNDS, onError);
  const close = async () => void (await Promise.all([work.close(), requests.close()]));
  try {
    await check?.(work);
    if (mode === 'read-write' && tables === 'update') await migrate(settings, onError);
    const listener = await createListener(() => new CatalogClient(settings), onError);
    const common: Omit<Catalog, 'db' | 'executeSql'> = {
      mode,
      listener,
      forRequests: () => ({ ...common, ...requests, close: common.close }),
      forWork: () => ({ ...common, ...work, close: common.close }),
      connect: async () => {
        const client = new CatalogClient(settings);
        client.on('error', onError);
        try {
          await client.connect();
        } catch (error) {
          throw connectError(error);
        }
        return client;
      },
      close: async () => {
        await listener.close();
        await close();
      },
    };
    return common.forWork();
  } catch (error) {
    await close().catch(() => undefined);
    throw isFluxError(error) ? error : unusable(error);
  }
}

async function findVersion(connection: CatalogConnection): Promise<CatalogVersion> {
  const client = new CatalogClient({ ...connection, application_name: 'flux-catalog', connectionTimeoutMillis: 10_000 });
  try {
    await client.connect();
    return await readCatalogVersion(client, Object.keys(MIGRATIONS));
  } catch (error) {
    throw isFluxError(error, 'catalog_newer') ? error : unusable(error);
  } finally {
    await endClient(client);
  }
}

function unusable(error: unknown): FluxError {
  return new FluxError(
    'catalog_unavailable',
    `The catalog database cannot be used: ${error instanceof Error ? error.message : String(error)}`,
    {
      hint: 'Check FLUX_CATALOG_URL, or the log of the catalog instance in the data folder.',
      cause: error,
    },
  );
}

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
  '022-quotas': { up: quotas.up },
  '030-installation': { up: installation.up },
};

/** In sessions without bounds: another server may be doing the same, and a change of a large table takes its time. */
async function migrate(settings: ClientConfig, onError: (error: Error) => void): Promise<void> {
  const sessions = openSessionPool(settings, {}, onError);
  try {
    await migrateTables(sessions.db);
  } finally {
    await sessions.close();
  }
}

async function migrateTables(db: Database): Promise<void> {
  const migrator = new Migrator({
    db,
    provider: { getMigrations: async () => MIGRATIONS },
    migrationTableName: 'catalog_migrations',
    migrationLockTableName: 'catalog_migration_lock',
  });
  const { error } = await migrator.migrateToLatest();
  if (error !== undefined) throw error;
  const { version, readableBy } = SCHEMA_VERSION;
  const row = { version, readable_by: readableBy };
  await db
    .insertInto('schema_version')
    .values(row)
    .onConflict((conflict) => conflict.column('single').doUpdateSet(row))
    .execute();
}

const INT8 = 20;

/** 64-bit integers become numbers: sizes and counts are exact up to 2^53, and a catalog never holds more. */
function getTypeParser(oid: number, format?: 'text' | 'binary'): unknown {
  return oid === INT8 ? Number : types.getTypeParser(oid, format as 'text');
}
