import { createHash } from 'node:crypto';
import { createServer } from 'node:net';
import { FluxError } from '@flux/contract/errors';

/**
 * Claims a folder for this process alone. The claim is an abstract Unix socket (unix(7)), which the kernel takes away with the
 * process: a killed server never blocks the next, and there is no stale file to judge.
 *
 * @returns what lets the folder go
 * @throws FluxError `data_folder_locked`
 */
export async function lockFolder(path: string): Promise<() => Promise<void>> {
  const name = `\0flux-${createHash('sha256').update(path).digest('hex').slice(0, 40)}`;
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EADDRINUSE') return reject(error);
      reject(
        new FluxError('data_folder_locked', `Another Flux already uses the data folder ${path}.`, {
          hint: 'Stop that one first, or give this one a folder of its own with FLUX_DATA_DIR.',
        }),
      );
    });
    server.listen(name, resolve);
  });
  server.unref();
  return () => new Promise((resolve) => server.close(() => resolve()));
}
