import { createServer } from 'node:net';

// Below the range that kernels use for outgoing connections (32768 and above), which may take a port at any time,
// and below those that Flux uses for its instances.
const FIRST = 12_000;
const LAST = 24_000;

/** A loopback port that nobody listens on at this moment. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST));
    if (await isFree(port)) return port;
  }
  throw new Error(`no port between ${FIRST} and ${LAST} seems to be free`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen({ port, host: '127.0.0.1', exclusive: true }, () => probe.close(() => resolve(true)));
  });
}
