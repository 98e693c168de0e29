import { connectPostgres, type PostgresSession, sqlStateOf } from './connect.ts';
import type { PostgresTarget } from './target.ts';

/** One session for questions that are asked again and again. */
export interface KeptSession {
  /**
   * Runs one query; queries wait for each other. A session that was lost since the last one is replaced.
   *
   * @throws FluxError `instance_unavailable`; DatabaseError of `pg`; the reason of `signal`
   */
  query<Row extends object>(sql: string, parameters: readonly unknown[], signal: AbortSignal): Promise<Row[]>;
  /** Ends the session; the next query opens another. */
  close(): Promise<void>;
}

/** A session that nobody has used for this long is closed. */
const IDLE_MS = 30_000;

/**
 * Opens a session with the first query, and keeps it.
 *
 * @param onLost called when the session ends, for whatever reason
 */
export function keepSession(target: () => PostgresTarget, onLost: () => void = () => undefined): KeptSession {
  let kept: PostgresSession | undefined;
  let turn: Promise<unknown> = Promise.resolve();
  let idle: NodeJS.Timeout | undefined;
  /** Ends the session that is open, or being opened, whatever it does. */
  let drop = new AbortController();

  const close = async () => {
    clearTimeout(idle);
    const old = kept;
    kept = undefined;
    await old?.close();
  };
  const run = async <Row extends object>(sql: string, parameters: readonly unknown[]): Promise<Row[]> => {
    const isNew = kept === undefined;
    if (kept === undefined) {
      drop = new AbortController();
      const opened = await connectPostgres(target(), { signal: drop.signal });
      kept = opened;
      opened.onEnd(() => {
        if (kept === opened) kept = undefined;
        void opened.close();
        onLost();
      });
    }
    try {
      return await kept.query<Row>(sql, parameters);
    } catch (error) {
      // 57P..: the server ended the session, or stops.
      const state = sqlStateOf(error);
      if (state !== undefined && !state.startsWith('57P')) throw error;
      await close();
      if (isNew || drop.signal.aborted) throw error;
      return await run(sql, parameters);
    }
  };

  return {
    query: <Row extends object>(sql: string, parameters: readonly unknown[], signal: AbortSignal) => {
      const work = async () => {
        signal.throwIfAborted();
        clearTimeout(idle);
        const abort = () => drop.abort(signal.reason);
        signal.addEventListener('abort', abort, { once: true });
        try {
          return await run<Row>(sql, parameters);
        } catch (error) {
          signal.throwIfAborted();
          throw error;
        } finally {
          signal.removeEventListener('abort', abort);
          idle = setTimeout(() => void close(), IDLE_MS);
          idle.unref();
        }
      };
      const result = turn.then(work, work);
      turn = result.catch(() => undefined);
      return result;
    },
    close,
  };
}
