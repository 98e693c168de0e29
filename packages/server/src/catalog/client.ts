import { FluxError, isFluxError } from '@flux/contract/errors';
import { Client, type ClientConfig, DatabaseError } from 'pg';
import { boundMessages } from '../system/bounded-messages.ts';
import { readOnlyError } from './version.ts';

/** A connection to the catalog. That it broke is told as `catalog_unavailable`, whatever was being asked. */
export class CatalogClient extends Client {
  #isBroken = false;

  constructor(config?: string | ClientConfig) {
    super(config);
    boundMessages(this);
    this.on('error', () => {
      this.#isBroken = true;
    });
    this.on('end', () => {
      this.#isBroken = true;
    });
    // Bound here and not overridden: the signatures of `query` are many, and only its promise is of interest.
    const query = this.query.bind(this) as (...args: unknown[]) => unknown;
    this.query = ((...args: unknown[]) => {
      const answer = query(...args);
      return answer instanceof Promise ? answer.catch((error) => Promise.reject(catalogError(error, this.#isBroken))) : answer;
    }) as never;
  }
}

/**
 * The server is going, coming or full, or somebody else holds a lock for longer than the session waits (lock_timeout, statement_timeout).
 * Source: the manual, appendix A.
 */
const AWAY = /^(?:08|57P0|53300|55P03|57014)/;

/** Whether an error is what the server itself has answered: then it does not hang. */
export function isAnswerOfServer(error: unknown): boolean {
  return error instanceof DatabaseError || (isFluxError(error) && error.cause instanceof DatabaseError);
}

/** An error of the catalog as what it means: `catalog_unavailable` when the connection broke. */
function catalogError(error: unknown, isBroken: boolean): unknown {
  if (isFluxError(error)) return error;
  // The session refuses writes because a newer Flux has written the catalog.
  if (error instanceof DatabaseError && error.code === '25006') return readOnlyError(error);
  const isAway = error instanceof DatabaseError ? AWAY.test(error.code ?? '') : isBroken;
  return isAway ? connectError(error) : error;
}

/** Why no connection could be opened, whatever the server says to that: `catalog_unavailable`. */
export function connectError(error: unknown): unknown {
  if (isFluxError(error)) return error;
  // A refused connection to several addresses has its reasons inside and no text of its own.
  const { message, code } = error as NodeJS.ErrnoException;
  return new FluxError('catalog_unavailable', `The catalog database does not answer: ${message || code || 'no connection'}`, {
    hint: 'Try again in a moment; when it stays so, see the log of the control plane.',
    cause: error,
  });
}

const END_MS = 2000;

/** Ends a connection in whatever state it is; never throws, and waits for a server that does not answer no longer than this. */
export async function endClient(client: Client): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, END_MS);
  });
  await Promise.race([client.end().catch(() => undefined), late]);
  clearTimeout(timer);
  (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
}
