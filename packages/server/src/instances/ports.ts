import { createServer } from 'node:net';
import { FluxError } from '@flux/contract/errors';

// Below the range from which kernels take the local ports of outgoing connections (32768 on Linux): a port there would
// be found taken at some later start, when a connection of somebody else happens to sit on it.
const FIRST = 24_000;
const LAST = 32_000;

/** Whether a TCP port of 127.0.0.1 is free right now. */
export function isPortFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/**
 * Chooses a free TCP port of 127.0.0.1 for an instance to keep.
 *
 * @param taken ports of other instances, stopped ones included
 * @throws FluxError `instance_unavailable` when none is free
 */
export async function chooseFreePort(taken: ReadonlySet<number>): Promise<number> {
  const span = LAST - FIRST;
  const start = Math.floor(Math.random() * span);
  for (let step = 0; step < span; step++) {
    const port = FIRST + ((start + step) % span);
    if (!taken.has(port) && (await isPortFree(port))) return port;
  }
  throw new FluxError('instance_unavailable', `No TCP port between ${FIRST} and ${LAST} of 127.0.0.1 is free for another instance.`);
}
