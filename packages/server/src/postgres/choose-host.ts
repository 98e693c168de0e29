import { FluxError } from '@flux/contract/errors';
import { connectPostgres, NOT_CONNECTED, type PostgresSession } from './connect.ts';
import type { Places } from './session-places.ts';
import type { PostgresTarget } from './target.ts';

/** `target_session_attrs` of libpq, without `any`. Source: the manual, "Parameter Key Words". */
export const SESSION_ATTRIBUTES = ['read-write', 'read-only', 'primary', 'standby', 'prefer-standby'] as const;
export type SessionAttributes = (typeof SESSION_ATTRIBUTES)[number];

/** How a host is chosen. */
export interface HostChoice {
  readonly signal?: AbortSignal | undefined;
  /** Where sessions on a host are counted, those that only try it among them; absent where the target says that itself. */
  readonly placesOf?: (host: PostgresTarget) => Places;
}

/**
 * The same target with one host: the first that answers and is what `sessionAttributes` asks for. All sessions of one piece of work, and
 * the programs of Postgres in it, have to be on one server.
 *
 * @throws FluxError `instance_unavailable` when there is none
 */
export async function chooseHost(target: PostgresTarget, { signal, placesOf }: HostChoice = {}): Promise<PostgresTarget> {
  const { otherHosts = [], sessionAttributes, ...one } = target;
  const counted = (host: PostgresTarget) => (placesOf === undefined ? host : { ...host, places: placesOf(host) });
  if (otherHosts.length === 0 && sessionAttributes === undefined) return counted(one);
  const { address: _, ...common } = one;
  const hosts: PostgresTarget[] = [one, ...otherHosts.map((host) => ({ ...common, ...host }))].map(counted);
  const problems: string[] = [];
  let second: PostgresTarget | undefined;
  for (const candidate of hosts) {
    signal?.throwIfAborted();
    try {
      await using session = await connectPostgres(candidate, { signal, withinMs: candidate.lookWithinMs });
      const state = await stateOf(session);
      if (sessionAttributes === undefined || fits(state, sessionAttributes)) return candidate;
      if (sessionAttributes === 'prefer-standby') second ??= candidate;
      problems.push(`${candidate.host}:${candidate.port} is ${describe(state)}`);
    } catch (error) {
      signal?.throwIfAborted();
      problems.push(error instanceof Error ? error.message : String(error));
    }
  }
  if (second !== undefined) return second;
  const wanted = sessionAttributes === undefined ? '' : ` and is what target_session_attrs=${sessionAttributes} asks for`;
  throw new FluxError('instance_unavailable', `None of the hosts answers${wanted}: ${problems.join('; ')}`, {
    hint: 'See the servers themselves. `flux project attach --uri` takes another URI.',
    details: NOT_CONNECTED,
  });
}

interface ServerState {
  readonly recovering: boolean;
  readonly readOnly: boolean;
}

async function stateOf(session: PostgresSession): Promise<ServerState> {
  const [row] = await session.query<ServerState>(
    `SELECT pg_catalog.pg_is_in_recovery() AS recovering, pg_catalog.current_setting('transaction_read_only') = 'on' AS "readOnly"`,
  );
  if (row === undefined) throw new Error('a query without FROM returned no row');
  return row;
}

function fits({ recovering, readOnly }: ServerState, wanted: SessionAttributes): boolean {
  switch (wanted) {
    case 'read-write':
      return !recovering && !readOnly;
    case 'read-only':
      return recovering || readOnly;
    case 'primary':
      return !recovering;
    default:
      return recovering;
  }
}

function describe({ recovering, readOnly }: ServerState): string {
  if (recovering) return 'a standby';
  return readOnly ? 'read-only' : 'a primary';
}
