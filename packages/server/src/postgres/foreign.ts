import { FluxError, isFluxError } from '@flux/contract/errors';
import { serverErrorOf } from './connect.ts';
import type { PostgresTarget } from './target.ts';

/** What holds for databases that Flux does not run. Their servers may be anything: wrong, overloaded, or hostile. */
export interface ForeignRules {
  /** How long a session may last that only looks: at what a database is, before a backup or a restore begins. */
  readonly lookWithinMs: number;
}

/** A target of somebody else's. */
export function asForeign(target: PostgresTarget, { lookWithinMs }: ForeignRules): PostgresTarget {
  return { ...target, lookWithinMs };
}

/**
 * Asks a server that Flux does not run. Whatever goes wrong with its answers is the matter of that server, not a defect of Flux.
 *
 * @throws FluxError `instance_unavailable` for a connection that ended and for answers that make no sense; what `work` throws as one
 */
export async function askForeign<T>({ host, port }: Pick<PostgresTarget, 'host' | 'port'>, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    // What it sent was more than is read, or could not be read.
    const isUnreadable = isFluxError(error, 'postgres_failed') && error.details.connection === 'ended';
    if ((isFluxError(error) && !isUnreadable) || (error instanceof Error && error.name === 'AbortError')) throw error;
    const said = serverErrorOf(error);
    const reason = (error instanceof Error ? error.message : String(error)).slice(0, MAX_REASON_CHARACTERS);
    throw new FluxError(
      'instance_unavailable',
      said === undefined
        ? `The server at ${host}:${port} has not answered as a Postgres does: ${reason}`
        : `The server at ${host}:${port} has refused a question: ${reason}`,
      { hint: 'Look at that server, and at its log, then try again.', details: { sqlState: said?.code }, cause: error },
    );
  }
}

/** A server may put a whole statement into an error. */
const MAX_REASON_CHARACTERS = 2000;
