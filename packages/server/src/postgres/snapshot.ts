import { connectPostgres, type PostgresSession } from './connect.ts';
import { estimatedTotalBytes } from './estimated-size.ts';
import { type Scope, scopeParameter } from './manifest/scope.ts';
import { DIGEST_SETTINGS } from './manifest.ts';
import type { PostgresTarget } from './target.ts';

/** An open MVCC snapshot: every session that joins it sees exactly the same rows, whatever others write meanwhile. */
export interface ExportedSnapshot extends AsyncDisposable {
  /** For `pg_dump --snapshot` and `SET TRANSACTION SNAPSHOT`. */
  readonly id: string;
  /** A read-only session under the snapshot; it cannot be used after a failed statement. */
  readonly session: PostgresSession;
  /** Time of the snapshot, ISO 8601 in UTC. */
  readonly takenAt: string;
  /**
   * Opens further sessions under the same snapshot, one at least, and as many of `count` as there are places for. The caller disposes of them;
   * disposing of the snapshot closes the others.
   *
   * @throws FluxError `instance_unavailable`
   */
  openWorkers(count: number): Promise<PostgresSession[]>;
  /**
   * Releases the locks of a worker, and has it join the snapshot again. A transaction keeps every lock to its end, and a server has a
   * limited number of them for all sessions together.
   */
  releaseLocks(worker: PostgresSession): Promise<void>;
  /** Opens a session that is in no transaction and keeps no locks. The caller disposes of it. @throws FluxError `instance_unavailable` */
  openOutside(): Promise<PostgresSession>;
}

export interface SnapshotOptions {
  /** Runs in the same session before the snapshot is taken. */
  readonly beforehand?: ((session: PostgresSession) => Promise<void>) | undefined;
  /** Drops all connections when aborted. */
  readonly signal?: AbortSignal | undefined;
}

/** A database in SQL_ASCII has texts in no encoding or in several: the server must not check that what it sends is UTF-8. */
const READ_BYTES_AS_THEY_ARE = "SELECT set_config('client_encoding', 'SQL_ASCII', false) WHERE getdatabaseencoding() = 'SQL_ASCII'";

const BEGIN = 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY';

/**
 * Opens a snapshot and keeps it until it is disposed of. All its sessions run under `DIGEST_SETTINGS`: with `row_security`
 * off, a role without BYPASSRLS gets an error where policies would have hidden rows from it.
 *
 * @throws FluxError `instance_unavailable`
 */
export async function openSnapshot(target: PostgresTarget, options: SnapshotOptions = {}): Promise<ExportedSnapshot> {
  const connect = async () => {
    const session = await connectPostgres(target, { settings: DIGEST_SETTINGS, signal: options.signal });
    try {
      await session.query(READ_BYTES_AS_THEY_ARE);
      return session;
    } catch (error) {
      await session.close();
      throw error;
    }
  };
  const session = await connect();
  const workers = new Set<PostgresSession>();
  const close = async () => {
    await Promise.all([...workers].map((worker) => worker.close()));
    await session.close();
  };
  try {
    await options.beforehand?.(session);
    await session.run(BEGIN);
    const [row] = await session.query<{ id: string; at: string }>(
      `SELECT pg_export_snapshot() AS id, to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS at`,
    );
    if (row === undefined) throw new Error('pg_export_snapshot returned no row');
    // The identifier is the server's own; it is checked because this statement takes no parameters.
    if (!/^[0-9A-Fa-f-]+$/.test(row.id)) throw new Error(`not an identifier of a snapshot: ${row.id}`);
    const join = `${BEGIN}; SET TRANSACTION SNAPSHOT '${row.id}'`;
    return {
      id: row.id,
      session,
      takenAt: row.at,
      async openWorkers(count) {
        // One has its place already; how many more there are depends on what else runs on the server.
        const more = target.places === undefined ? count - 1 : target.places.grow(count - 1);
        return await allOf(
          Array.from({ length: 1 + more }, async () => {
            const worker = await connect();
            workers.add(worker);
            await worker.run(join);
            return worker;
          }),
        );
      },
      releaseLocks: (worker) => worker.run(`COMMIT; ${join}`),
      openOutside: connect,
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Like Promise.all, but waits for every part before the first rejection is thrown. */
async function allOf<T>(parts: readonly Promise<T>[]): Promise<T[]> {
  const results = await Promise.allSettled(parts);
  for (const result of results) if (result.status === 'rejected') throw result.reason;
  return Promise.all(parts);
}

/** Estimated size on disk of what a backup covers, indexes included; for planning. */
export async function estimateBytes(session: PostgresSession, scope: Scope): Promise<number> {
  const parameter = scopeParameter(scope);
  const [row] =
    parameter === null
      ? await session.query<{ bytes: string }>('SELECT pg_database_size(current_database()) AS bytes')
      : await session.query<{ bytes: string }>(
          `SELECT coalesce(sum(${estimatedTotalBytes('c')}), 0)::int8 AS bytes FROM pg_class c
           JOIN pg_namespace n ON n.oid = c.relnamespace
           WHERE n.nspname = ANY ($1::text[]) AND c.relkind IN ('r', 'm') AND quote_ident(n.nspname) || '.' || quote_ident(c.relname) <> ALL ($2::text[])`,
          [parameter, scope.selection?.withoutRows ?? []],
        );
  return Number(row?.bytes ?? 0);
}
