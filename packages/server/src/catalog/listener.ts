import type { Client } from 'pg';

/** Hears NOTIFY of the catalog, over one connection that is made again when it breaks. */
export interface Listener {
  /**
   * Resolves when the channel says the key, when `timeoutMs` have passed or when the signal is aborted, whichever is first.
   * A notification can be missed while the connection is being made again, so callers look again after every return.
   */
  wait(channel: Channel, key: string, timeoutMs: number, signal?: AbortSignal): Promise<void>;
  /** Calls back for every notification of a channel. Returns a function that ends it. */
  on(channel: Channel, callback: (key: string) => void): () => void;
  close(): Promise<void>;
}

/** Channels in use: the payload is an operation id, or the name of a queue. */
export type Channel = 'flux_operation' | 'flux_enqueued' | 'flux_cancel';

const CHANNELS: readonly Channel[] = ['flux_operation', 'flux_enqueued', 'flux_cancel'];
const RECONNECT_MS = 500;

/** Starts listening. @throws when the first connection cannot be made */
export async function createListener(newClient: () => Client, onError: (error: Error) => void): Promise<Listener> {
  const callbacks = new Map<Channel, Set<(key: string) => void>>(CHANNELS.map((channel) => [channel, new Set()]));
  let client: Client | undefined;
  let closed = false;

  async function connect(): Promise<void> {
    const next = newClient();
    next.on('notification', ({ channel, payload }) => {
      for (const callback of callbacks.get(channel as Channel) ?? []) callback(payload ?? '');
    });
    next.on('error', onError);
    next.on('end', () => {
      if (!closed) setTimeout(() => void reconnect(), RECONNECT_MS).unref();
    });
    await next.connect();
    for (const channel of CHANNELS) await next.query(`listen ${channel}`);
    client = next;
  }

  async function reconnect(): Promise<void> {
    if (closed) return;
    try {
      await connect();
    } catch (error) {
      onError(error as Error);
      setTimeout(() => void reconnect(), RECONNECT_MS).unref();
    }
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
      closed = true;
      await client?.end().catch(() => undefined);
    },
  };
}
