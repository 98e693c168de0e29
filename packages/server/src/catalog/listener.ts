import type { Client } from 'pg';
import { createBackOff } from '../system/back-off.ts';
import { endClient } from './client.ts';

/** Hears NOTIFY of the catalog, over one connection that is opened again when it breaks. */
export interface Listener {
  /**
   * Resolves when the channel says the key, when `timeoutMs` have passed or when the signal is aborted, whichever is first.
   * A notification can be missed while the connection is being opened again, so callers look again after every return.
   */
  wait(channel: Channel, key: string, timeoutMs: number, signal?: AbortSignal): Promise<void>;
  /** Calls back for every notification of a channel. Returns a function that ends it. */
  on(channel: Channel, callback: (key: string) => void): () => void;
  close(): Promise<void>;
}

/** Channels in use: the payload is an operation id, or the name of a queue. */
export type Channel = 'flux_operation' | 'flux_enqueued' | 'flux_cancel';

const CHANNELS: readonly Channel[] = ['flux_operation', 'flux_enqueued', 'flux_cancel'];
/** Pauses between attempts to connect again. */
const RECONNECT = { firstMs: 250, ceilingMs: 2000 };
/** Of attempts that fail one after the other, the first is reported, and then each of this number. */
const REPORT_EVERY = 20;
/** A connection that breaks sooner than this does not count as the end of an outage. */
const HEALTHY_MS = 10_000;

/**
 * Starts listening. There is one connection, or one attempt to make it, or one timer for the next attempt: never two of them.
 *
 * @throws when the first connection cannot be opened
 */
export async function createListener(newClient: () => Client, onError: (error: Error) => void): Promise<Listener> {
  const callbacks = new Map<Channel, Set<(key: string) => void>>(CHANNELS.map((channel) => [channel, new Set()]));
  const backOff = createBackOff(RECONNECT.firstMs, RECONNECT.ceilingMs);
  let client: Client | undefined;
  let retry: NodeJS.Timeout | undefined;
  let failures = 0;
  let isClosed = false;

  async function connect(): Promise<void> {
    const next = newClient();
    client = next;
    next.on('notification', ({ channel, payload }) => {
      for (const callback of callbacks.get(channel as Channel) ?? []) callback(payload ?? '');
    });
    // Without a listener, a connection that breaks would end the process; what it says comes with `end` or a rejection as well.
    let problem: Error | undefined;
    next.on('error', (error) => {
      problem = error;
    });
    try {
      await next.connect();
      for (const channel of CHANNELS) await next.query(`listen ${channel}`);
    } catch (error) {
      await endClient(next);
      throw error;
    }
    const since = performance.now();
    // Only from here on: a client that never got through emits `end` too, and its attempt has been answered for above.
    next.once('end', () => {
      if (isClosed) return;
      if (performance.now() - since >= HEALTHY_MS) {
        backOff.reset();
        failures = 0;
      }
      planReconnect(problem ?? new Error('the connection has ended'));
    });
  }

  function planReconnect(error: Error): void {
    if (failures % REPORT_EVERY === 0) onError(error);
    failures += 1;
    clearTimeout(retry);
    retry = setTimeout(() => {
      if (!isClosed) connect().catch((failure: Error) => isClosed || planReconnect(failure));
    }, backOff.next());
    retry.unref();
  }

  await connect();
  const on: Listener['on'] = (channel, callback) => {
    callbacks.get(channel)?.add(callback);
    return () => void callbacks.get(channel)?.delete(callback);
  };
  return {
    on,
    wait: (channel, key, timeoutMs, signal) =>
      new Promise((resolve) => {
        const finish = () => {
          stop();
          clearTimeout(timer);
          signal?.removeEventListener('abort', finish);
          resolve();
        };
        const stop = on(channel, (heard) => heard === key && finish());
        const timer = setTimeout(finish, timeoutMs);
        signal?.addEventListener('abort', finish, { once: true });
        if (signal?.aborted) finish();
      }),
    close: async () => {
      isClosed = true;
      clearTimeout(retry);
      if (client !== undefined) await endClient(client);
    },
  };
}
