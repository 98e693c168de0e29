import type { Client, ClientConfig } from 'pg';
import { CatalogClient, endClient, isAnswerOfServer } from './client.ts';

/** How long an answer may take before it is asked whether the server answers anybody, and for how long an answer to that is awaited. */
const PATIENCE_MS = 5000;
const PROBE_MS = 5000;

/**
 * Clients of a catalog that may hang: one whose processes are stopped, or whose host has vanished, keeps its connections open and says nothing.
 * While a statement takes long, a new connection asks whether the server answers at all; when it does not, the connection of the statement is
 * closed, which fails with `catalog_unavailable`. So a statement that waits for a lock, or has much to do, may take as long as the bounds of its session allow.
 */
export function watchedClients(settings: ClientConfig): new (config?: string | ClientConfig) => Client {
  let probing: Promise<boolean> | undefined;
  const answers = (): Promise<boolean> => {
    probing ??= probe(settings).finally(() => {
      probing = undefined;
    });
    return probing;
  };
  return class WatchedClient extends CatalogClient {
    constructor(config?: string | ClientConfig) {
      super(config);
      const query = this.query.bind(this) as (...args: unknown[]) => unknown;
      this.query = ((...args: unknown[]) => {
        const answer = query(...args);
        return answer instanceof Promise ? this.#watched(answer) : answer;
      }) as never;
    }

    async #watched<T>(answer: Promise<T>): Promise<T> {
      let timer: NodeJS.Timeout | undefined;
      let isDone = false;
      const look = async () => {
        if (!(await answers()) && !isDone) return breakConnection(this);
        if (!isDone) timer = setTimeout(look, PATIENCE_MS);
      };
      timer = setTimeout(look, PATIENCE_MS);
      try {
        return await answer;
      } finally {
        isDone = true;
        clearTimeout(timer);
      }
    }
  };
}

/** Whether the server answers a new connection in time, in whatever way. */
async function probe(settings: ClientConfig): Promise<boolean> {
  const client = new CatalogClient({ ...settings, connectionTimeoutMillis: PROBE_MS, query_timeout: PROBE_MS });
  try {
    await client.connect();
    await client.query('select 1');
    return true;
  } catch (error) {
    // A refusal is an answer: a server without a free connection, or one that stops, does not hang.
    return isAnswerOfServer(error);
  } finally {
    await endClient(client);
  }
}

/** Closes a connection without waiting for its server; everything that is asked on it fails. */
export function breakConnection(client: Client): void {
  const { stream } = (client as unknown as { connection: { stream: { destroy(error?: Error): void } } }).connection;
  stream.destroy(new Error('the server does not answer'));
}
