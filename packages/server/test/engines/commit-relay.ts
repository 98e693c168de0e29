import { connect, createServer, type Socket } from 'node:net';
import type { PostgresTarget } from '../../src/postgres/target.ts';

/**
 * What becomes of the first COMMIT: it arrives, and its answer is lost; or it is lost itself, while the server believes that its client is
 * still there.
 */
export type Loss = 'the answer' | 'the command';

/** A relay in front of a server that loses all its clients when one commits. */
export interface CommitRelay extends AsyncDisposable {
  readonly target: PostgresTarget;
  /** Accepts no connection any more, or none for a time. */
  refuse(forMs?: number): void;
}

/** The message that has nothing but the command. */
const COMMIT = 'Q\0\0\0\x0BCOMMIT\0';

export async function startCommitRelay(server: PostgresTarget, loses: Loss): Promise<CommitRelay> {
  const [clients, servers] = [new Set<Socket>(), new Set<Socket>()];
  const cut = () => {
    for (const client of clients) client.destroy();
  };
  let [isLost, isRefusing] = [false, false];
  const relay = createServer((client) => {
    if (isRefusing) return void client.destroy();
    const upstream = connect(server.host.startsWith('/') ? { path: `${server.host}/.s.PGSQL.${server.port}` } : server);
    clients.add(client.on('error', () => undefined));
    servers.add(upstream.on('error', () => undefined));
    let isCut = false;
    client.on('data', (bytes: Buffer) => {
      if (!isLost && bytes.includes(COMMIT)) {
        [isLost, isCut] = [true, true];
        if (loses === 'the command') return cut();
      }
      upstream.write(bytes);
    });
    // With the answer to a COMMIT the commit is done.
    upstream.on('data', (bytes: Buffer) => {
      if (!isCut) client.write(bytes);
      else if (!client.destroyed) cut();
    });
    client.on('close', () => isCut || upstream.destroy());
    upstream.on('close', () => client.destroy());
  });
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
  const { port } = relay.address() as { port: number };
  return {
    target: { ...server, host: '127.0.0.1', port, sslMode: 'disable' },
    refuse: (forMs) => {
      isRefusing = true;
      if (forMs !== undefined) setTimeout(() => (isRefusing = false), forMs);
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of [...clients, ...servers]) socket.destroy();
      await new Promise((resolve) => relay.close(resolve));
    },
  };
}
