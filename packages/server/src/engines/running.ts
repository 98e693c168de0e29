import { FluxError } from '@flux/contract/errors';
import type { InstanceStatus } from '../instances/instance.ts';
import { connectPostgres, type PostgresSession } from '../postgres/connect.ts';
import type { PostgresTarget } from '../postgres/target.ts';

/**
 * Refuses when an instance does not run.
 *
 * @param name what people call it, for the message
 * @param startCommand the command that starts it
 * @throws FluxError `instance_stopped`, `instance_unavailable`
 */
export function requireRunning(status: InstanceStatus, name: string, startCommand: string): void {
  if (status.state === 'running') return;
  if (status.state === 'stopped')
    throw new FluxError('instance_stopped', `The Postgres instance of ${name} is stopped.`, { hint: `Start it with \`${startCommand}\`.` });
  const problem = status.problem === null ? '' : `: ${status.problem}`;
  throw new FluxError('instance_unavailable', `The Postgres instance of ${name} is ${status.state}${problem}.`, {
    hint: status.state === 'starting' ? 'Try again in a few seconds.' : 'See `flux list`, and the log of the instance in the data folder.',
    details: { state: status.state },
  });
}

/** Version of the server, for example `15.18`, and whatever else the question answers. */
export async function askVersion(target: PostgresTarget): Promise<{ readonly version: string; readonly major: number }> {
  await using session = await connectPostgres(target);
  return await versionOf(session);
}

/** Version of the server of a session. */
export async function versionOf(session: PostgresSession): Promise<{ readonly version: string; readonly major: number }> {
  const [row] = await session.query<{ version: string; number: number }>(
    `select pg_catalog.split_part(pg_catalog.current_setting('server_version'), ' ', 1) as version,
            pg_catalog.current_setting('server_version_num')::int as number`,
  );
  return { version: row?.version ?? '', major: Math.floor((row?.number ?? 0) / 10_000) };
}
