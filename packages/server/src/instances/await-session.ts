import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { FluxError, isFluxError } from '@flux/contract/errors';
import { connectPostgres, type PostgresSession } from '../postgres/connect.ts';
import type { PostgresTarget } from '../postgres/target.ts';

const PROBE_MS = 5;
const READY_MS = 60_000;
/** A server that replays its WAL after a crash reports that, and gets more time. */
const RECOVERY_MS = 30 * 60_000;

/** Waits until a server answers a query. Otherwise as `awaitSession`. */
export async function awaitReady(target: PostgresTarget, ended: AbortSignal, signal: AbortSignal | undefined): Promise<void> {
  await (await awaitSession(target, ended, signal)).close();
}

/**
 * Waits until a server answers a query, and returns the connection. Accepting connections is not enough: it accepts them while it is still
 * recovering.
 *
 * @param ended aborted when the server's process has ended
 * @throws FluxError `instance_unavailable` when it does not become ready; the reason of `ended` when that is aborted
 */
export async function awaitSession(target: PostgresTarget, ended: AbortSignal, signal: AbortSignal | undefined): Promise<PostgresSession> {
  const started = performance.now();
  // Checking for the socket is cheaper than an attempt to connect.
  const socket = target.host.startsWith('/') ? join(target.host, `.s.PGSQL.${target.port}`) : undefined;
  for (let recovering = false; ; ) {
    ended.throwIfAborted();
    signal?.throwIfAborted();
    if (socket === undefined || (await exists(socket))) {
      try {
        const session = await connectPostgres(target, { connectTimeoutMs: 5000, signal: ended });
        try {
          await session.query('select 1');
          return session;
        } catch (error) {
          await session.close();
          throw error;
        }
      } catch (error) {
        const state = isFluxError(error) ? error.details.sqlState : undefined;
        // 57P03: cannot_connect_now, "the database system is starting up". Class 28: the password is wrong.
        if (typeof state === 'string' && state.startsWith('28')) throw error;
        recovering ||= state === '57P03';
      }
    }
    if (performance.now() - started > (recovering ? RECOVERY_MS : READY_MS))
      throw new FluxError('instance_unavailable', `The server did not answer within ${READY_MS / 1000} seconds.`);
    // Every server reports this for a few milliseconds; one that still does after a second is recovering, and is polled less often.
    await sleep(performance.now() - started > 1000 ? 50 : PROBE_MS);
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
