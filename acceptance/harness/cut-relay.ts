import { connect, createServer, type Socket } from 'node:net';

/** A TCP relay on loopback. */
export interface CutRelay extends AsyncDisposable {
  readonly port: number;
  /**
   * Cuts the connection that arrives at the server from a port, the `client_port` of `pg_stat_activity`. What the server is told by then it
   * still does; its answer reaches nobody.
   */
  cut(clientPort: number): void;
}

/** Passes everything on to a port, and back. Disposing of it cuts all connections. */
export async function startCutRelay(upstreamPort: number): Promise<CutRelay> {
  const pairs = new Set<readonly [Socket, Socket]>();
  const server = createServer((client) => {
    const upstream = connect(upstreamPort, '127.0.0.1');
    const pair = [client, upstream] as const;
    pairs.add(pair);
    client.pipe(upstream).pipe(client);
    for (const socket of pair) {
      socket.on('error', () => undefined);
      socket.on('close', () => {
        pairs.delete(pair);
        for (const one of pair) one.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cutAll = (isMeant: (upstream: Socket) => boolean) => {
    for (const [client, upstream] of pairs) if (isMeant(upstream)) client.destroy();
  };
  return {
    port: (server.address() as { port: number }).port,
    cut: (clientPort) => cutAll(({ localPort }) => localPort === clientPort),
    [Symbol.asyncDispose]: async () => {
      cutAll(() => true);
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
