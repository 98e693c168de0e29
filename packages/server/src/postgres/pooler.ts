import { FluxError, isFluxError } from '@flux/contract/errors';
import { connectPostgres, type PostgresSession } from './connect.ts';
import type { PostgresTarget } from './target.ts';

/**
 * Refuses a pooler that gives a session another backend for each transaction: a backup needs one snapshot in several sessions, which such a
 * pooler forgets. It is known by what it does. Something in between is there when the process id that began the session is not that of
 * the backend; whether it keeps a backend for a session shows when another session holds a transaction meanwhile.
 *
 * @throws FluxError `invalid_request`
 */
export async function refusePooler(session: PostgresSession, target: PostgresTarget, signal?: AbortSignal): Promise<void> {
  const before = await backendOf(session);
  if (before === session.backendPid) return;
  const kept = await keepsBackends(session, before, target, signal).catch((error: unknown) => {
    if (isFluxError(error)) throw error;
    signal?.throwIfAborted();
    // Some allow no transactions of several statements at all.
    return false;
  });
  if (!kept) throw poolerRefused(target);
}

async function keepsBackends(session: PostgresSession, before: number, target: PostgresTarget, signal?: AbortSignal): Promise<boolean> {
  await using other = await connectPostgres(target, { signal, withinMs: target.lookWithinMs });
  await other.run('BEGIN');
  const others = await backendOf(other);
  const after = await backendOf(session);
  await other.run('ROLLBACK');
  return before === after && others !== before;
}

async function backendOf(session: PostgresSession): Promise<number> {
  const [row] = await session.query<{ pid: number }>('SELECT pg_catalog.pg_backend_pid() AS pid');
  if (row === undefined) throw new Error('a query without FROM returned no row');
  return row.pid;
}

/** Poolers refuse settings that a session begins with, and pg_dump and Flux begin with some. They say so in words of their own. */
export function isPoolersRefusal(message: string): boolean {
  return /unsupported startup parameter/i.test(message);
}

/** The error for the address of a pooler, with the one to use instead where it is known. */
export function poolerRefused({ host, port }: Pick<PostgresTarget, 'host' | 'port'>): FluxError {
  return new FluxError(
    'invalid_request',
    `${host}:${port} is a pooler that uses another backend for each transaction. A backup needs one snapshot of the database in several sessions, so it cannot be made through it.`,
    { hint: `Use ${insteadOf(host, port)}.` },
  );
}

function insteadOf(host: string, port: number): string {
  if (/-pooler\./.test(host)) return `the address of the server itself: ${host.replace('-pooler.', '.')}`;
  if (port === 6543)
    return 'the address of the server itself, or of a pooler in session mode: hosted services have one of them on port 5432 of the same or of a similar host';
  return 'the address of the server itself (its port is usually 5432), or a pooler in session mode';
}
