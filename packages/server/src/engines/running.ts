import { FluxError } from '@flux/contract/errors';
import type { InstanceStatus } from '../instances/instance.ts';
import { connectPostgres, type PostgresSession } from '../postgres/connect.ts';
import type { PostgresTarget } from '../postgres/target.ts';

/** The parts of a status that decide whether a project can be worked on. */
type RunningState = Pick<InstanceStatus, 'state' | 'problem'>;

/**
 * Refuses when an instance does not run.
 *
 * @param name the name for the message
 * @param startCommand the command that starts it
 * @throws FluxError `instance_stopped`, `instance_unavailable`
 */
export function requireRunning(status: RunningState, name: string, startCommand: string): void {
  if (status.state === 'running') return;
  if (status.state === 'stopped')
    throw new FluxError('instance_stopped', `The Postgres instance of ${name} is stopped.`, { hint: `Start it with \`${startCommand}\`.` });
  const problem = status.problem === null ? '' : `: ${status.problem}`;
  throw new FluxError('instance_unavailable', `The Postgres instance of ${name} is ${status.state}${problem}.`, {
    hint: status.state === 'starting' ? 'Try again in a few seconds.' : 'See `flux list`, and the log of the instance in the data folder.',
    details: { state: status.state },
  });
}

/**
 * The TCP port of a server that must have one.
 *
 * @throws FluxError `instance_unavailable`
 */
export function requirePort({ id, port }: Pick<InstanceStatus, 'id' | 'port'>): number {
  if (port !== null) return port;
  throw new FluxError('instance_unavailable', `The Postgres instance ${id} has no port to connect to.`, {
    hint: 'See `flux list`, and the log of the instance in the data folder.',
  });
}

/** A status is waited for this long; a new session that is not answered in ten seconds is given up. */
export const STATUS_BOUNDS = { freshMs: 2000, waitMs: 2000, giveUpMs: 10_000 } as const;

/** The status of a server that has not answered in time. */
export function didNotAnswer(): { readonly state: 'failing'; readonly problem: string } {
  return { state: 'failing', problem: `It did not answer within ${STATUS_BOUNDS.waitMs / 1000} seconds.` };
}

/** Version of a server, as a text and as a number. */
export interface ServerVersion {
  /** For example `15.18`. */
  readonly version: string;
  readonly major: number;
}

/** Connects and asks for the version. @throws FluxError `instance_unavailable` */
export async function askVersion(target: PostgresTarget, signal?: AbortSignal): Promise<ServerVersion> {
  await using session = await connectPostgres(target, { signal, withinMs: target.lookWithinMs });
  return await versionOf(session);
}

/** Version of the server of a session. */
export async function versionOf(session: PostgresSession): Promise<ServerVersion> {
  const [row] = await session.query<{ version: string; number: number }>(
    `select pg_catalog.split_part(pg_catalog.current_setting('server_version'), ' ', 1) as version,
            pg_catalog.current_setting('server_version_num')::int as number`,
  );
  if (row === undefined) throw new Error('the server did not report its version');
  return { version: row.version, major: Math.floor(row.number / 10_000) };
}
