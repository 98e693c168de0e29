import { FluxError, isFluxError } from '@flux/contract/errors';
import { deadlineAfter } from '../system/deadline.ts';
import type { AddressCheck } from './addresses.ts';
import { chooseHost, type HostChoice } from './choose-host.ts';
import { NOT_CONNECTED, serverErrorOf } from './connect.ts';
import type { Asking } from './lookups.ts';
import type { PostgresTarget } from './target.ts';

/** What holds for databases that Flux does not run. Their servers may be anything: wrong, overloaded, or hostile. */
export interface ForeignRules {
  /** How long a session may last that only looks: at what a database is, before a backup or a restore begins. */
  readonly lookWithinMs: number;
  readonly addresses: AddressCheck;
}

/**
 * A target with its addresses, each as a host of its own. All names together are looked up for no longer than a look may last; after that,
 * those count that are known.
 *
 * @throws FluxError `forbidden` when no address is allowed, `instance_unavailable` when none is known in time; the error of the last lookup;
 *   the reason of `signal`
 */
async function pinAddresses(target: PostgresTarget, rules: ForeignRules, { signal, by }: Asking): Promise<PostgresTarget> {
  using limit = deadlineAfter(rules.lookWithinMs);
  const ends = signal === undefined ? limit.signal : AbortSignal.any([signal, limit.signal]);
  const hosts: { host: string; port: number; address?: string }[] = [];
  let problem: unknown;
  for (const { host, port } of [target, ...(target.otherHosts ?? [])]) {
    try {
      const addresses = await rules.addresses.resolve(host, port, { signal: ends, by });
      hosts.push(...(addresses.length === 0 ? [{ host, port }] : addresses.map((address) => ({ host, port, address }))));
    } catch (error) {
      // A list may not be used to look for what is not allowed, with one that is.
      if (isFluxError(error, 'forbidden')) throw error;
      signal?.throwIfAborted();
      problem = limit.signal.aborted ? notLookedUp(host, rules, error) : error;
      if (limit.signal.aborted) break;
    }
  }
  const [first, ...others] = hosts;
  if (first === undefined) throw problem;
  const { otherHosts: _, ...one } = target;
  return { ...one, ...first, lookWithinMs: rules.lookWithinMs, ...(others.length === 0 ? {} : { otherHosts: others }) };
}

function notLookedUp(host: string, { lookWithinMs }: ForeignRules, cause: unknown): FluxError {
  return new FluxError('instance_unavailable', `The address of ${host} was not found within ${lookWithinMs / 1000} s.`, {
    hint: 'Check that the host of the control plane can look up that name: `getent hosts` with it says more.',
    details: NOT_CONNECTED,
    cause,
  });
}

/** Refuses a target that may not be connected to. A name that nobody knows is not refused here. @throws FluxError `forbidden` */
export async function requireAllowedAddress(target: PostgresTarget, rules: ForeignRules, asking: Asking = {}): Promise<void> {
  await pinAddresses(target, rules, asking).catch((error) => {
    if (isFluxError(error, 'forbidden')) throw error;
    asking.signal?.throwIfAborted();
  });
}

/**
 * The server to talk to, by its address.
 *
 * @throws FluxError `forbidden`; `instance_unavailable`, in the same words for a refused connection, a wrong password and what is no Postgres
 */
export function chooseForeignHost(target: PostgresTarget, rules: ForeignRules, choice: HostChoice & Asking): Promise<PostgresTarget> {
  return askForeign(target, async () => chooseHost(await pinAddresses(target, rules, choice), choice));
}

/**
 * Asks a server that Flux does not run. Whatever goes wrong with its answers is the matter of that server, not a defect of Flux.
 *
 * @throws FluxError `instance_unavailable` for a connection that ended and for answers that make no sense; what `work` throws as one
 */
export async function askForeign<T>(
  target: Pick<PostgresTarget, 'host' | 'port' | 'user' | 'database'>,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (isFluxError(error, 'instance_unavailable') && error.details.connected === NOT_CONNECTED.connected) throw notReached(target, error);
    if (isLookupError(error)) throw notReached(target, error);
    const { host, port } = target;
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

/**
 * The answer is the same whatever is there, because it must not tell people which ports of which hosts are open, and to what. The reason is
 * for operators: `forOperators` is removed from answers to others.
 */
function notReached({ host, port, user, database }: Pick<PostgresTarget, 'host' | 'port' | 'user' | 'database'>, error: Error): FluxError {
  const sqlState = isFluxError(error) ? error.details.sqlState : undefined;
  return new FluxError('instance_unavailable', `No session could be opened as ${user} in ${database} at ${host}:${port}.`, {
    hint: 'Check that a Postgres listens there that the host of the control plane reaches (address, port, firewall, pg_hba.conf), and the user, the password, the database and sslmode of the URI: `psql` with the same URI, on that host, says more. A token for all projects with access level admin is told the reason.',
    details: { forOperators: { reason: error.message.slice(0, MAX_REASON_CHARACTERS), sqlState } },
    cause: error,
  });
}

function isLookupError(error: unknown): error is Error {
  return error instanceof Error && (error as NodeJS.ErrnoException).syscall === 'getaddrinfo';
}

/** A server may put a whole statement into an error. */
const MAX_REASON_CHARACTERS = 2000;
