import { FluxError, isFluxError } from '@flux/contract/errors';
import { serverErrorOf } from './connect.ts';
import type { PostgresTarget } from './target.ts';

/** Source: the manual, appendix A, `insufficient_privilege`. */
const NOT_ALLOWED = '42501';

/**
 * What went wrong while a source was read, as an error for its owner. An error that is already one is returned as it is, and so is whatever
 * neither the server nor the connection to it has caused: that is a defect of ours.
 */
export function asSourceError(error: unknown, { user, host, port }: Pick<PostgresTarget, 'user' | 'host' | 'port'>): unknown {
  if (isFluxError(error) || !(error instanceof Error)) return error;
  const said = serverErrorOf(error);
  if (said === undefined) return isBrokenConnection(error) ? lostConnection(error, `${host}:${port}`) : error;
  const facts = { details: { sqlState: said.code }, cause: error };
  if (said.code === NOT_ALLOWED)
    return new FluxError('dump_failed', `The database cannot be read as ${user}: ${said.message}.`, {
      hint: 'Nothing was stored. `flux doctor` lists what this login may not read, and the SQL that allows it. Then try again with `flux backup create`.',
      ...facts,
    });
  return new FluxError('dump_failed', `The database cannot be read as ${user}: ${said.message} (SQLSTATE ${said.code ?? 'unknown'}).`, {
    hint: 'Nothing was stored. Postgres has refused this; cure it there, then try again with `flux backup create`.',
    ...facts,
  });
}

/** What the driver throws for a connection that ended: it has no class and no code of its own for that. */
function isBrokenConnection(error: Error): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return /^Connection terminated|^Client has encountered a connection error/.test(error.message) || /^E[A-Z]+$/.test(code ?? '');
}

function lostConnection(cause: Error, address: string): FluxError {
  return new FluxError(
    'instance_unavailable',
    `The connection to Postgres at ${address} ended while the database was read: ${cause.message}.`,
    {
      hint: 'Nothing was stored. Try again with `flux backup create`.',
      cause,
    },
  );
}
