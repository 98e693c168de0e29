import { Kysely, PostgresDialect } from 'kysely';
import { type Client, type ClientConfig, Pool } from 'pg';
import { connectError } from './client.ts';
import type { Database } from './open.ts';
import type { CatalogTables } from './tables.ts';
import { breakConnection, watchedClients } from './watched-client.ts';

/** Sessions of the catalog that are opened as they are needed. */
export interface SessionPool {
  readonly db: Database;
  /** Runs plain SQL, which may be several statements. */
  executeSql(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>;
  close(): Promise<void>;
}

/** For how long a statement may take, and wait for a lock that somebody else holds; it then fails with `catalog_unavailable`. */
export type SessionBounds = Pick<ClientConfig, 'statement_timeout' | 'lock_timeout'>;

/** Of each pool. One is not enough for all: what waits in the sessions of one must not keep others from theirs. */
const MAX_SESSIONS = 10;
const CLOSE_MS = 2000;

/** Opens nothing yet. */
export function openSessionPool(settings: ClientConfig, bounds: SessionBounds, onError: (error: Error) => void): SessionPool {
  const pool = new Pool({
    ...settings,
    ...bounds,
    Client: watchedClients(settings) as never,
    max: MAX_SESSIONS,
    idleTimeoutMillis: 60_000,
  });
  pool.on('error', onError);
  const open = new Set<Client>();
  pool.on('connect', (client) => open.add(client as Client));
  pool.on('remove', (client) => open.delete(client as Client));
  const connect = () => pool.connect().catch((error) => Promise.reject(connectError(error)));
  const db = new Kysely<CatalogTables>({
    dialect: new PostgresDialect({ pool: { connect, end: () => pool.end(), options: pool.options } }),
  });
  return {
    db,
    executeSql: async (text, values) => {
      const client = await connect();
      return client.query(text, values).then(
        (answer) => {
          client.release();
          return answer;
        },
        (error) => {
          // It may be broken, or in the middle of a transaction that the text began.
          client.release(true);
          throw error;
        },
      );
    },
    close: async () => {
      // A server that hangs does not say goodbye.
      const late = setTimeout(() => open.forEach(breakConnection), CLOSE_MS);
      await db.destroy().finally(() => clearTimeout(late));
    },
  };
}
