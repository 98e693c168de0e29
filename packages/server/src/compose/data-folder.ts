import { randomBytes } from 'node:crypto';
import { access, chmod, constants, mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { FluxError } from '@flux/contract/errors';
import { writeFileAtomically } from '../system/atomic-file.ts';

const KEY_BYTES = 32;

/**
 * Creates the data folder when it is missing and finds out early whether it can be used.
 *
 * @throws FluxError `volume_unusable`
 */
export async function prepareDataFolder(path: string): Promise<void> {
  try {
    // The account that Postgres runs as must be able to walk through, but sees no names.
    await mkdir(path, { recursive: true, mode: 0o711 });
    await access(path, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new FluxError('volume_unusable', `The data folder ${path} cannot be written: ${(error as Error).message}`, {
      hint: 'Choose another with FLUX_DATA_DIR, or give this account the right to write there.',
      cause: error,
    });
  }
}

/** A folder for what lives as long as one piece of work. What a killed server has left in it goes; the lock of the data folder is held. */
export async function emptyScratchFolder(dataFolder: string): Promise<string> {
  const path = join(dataFolder, 'scratch');
  // What cannot be removed is in nobody's way: every piece of work has names of its own in it.
  await rm(path, { recursive: true, force: true }).catch(() => undefined);
  await mkdir(path, { recursive: true });
  // Whatever our umask is: the account that Postgres programs run as must be able to walk through.
  await chmod(path, 0o711);
  return path;
}

/** The key that seals secrets in the catalog; created on the first start. With it and the catalog, every password can be read. */
export async function readSecretKey(dataFolder: string): Promise<Buffer> {
  const path = join(dataFolder, 'secret.key');
  const found = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) =>
    error.code === 'ENOENT' ? undefined : Promise.reject(error),
  );
  if (found === undefined) {
    const key = randomBytes(KEY_BYTES);
    await writeFileAtomically(path, `${key.toString('hex')}\n`);
    return key;
  }
  const key = Buffer.from(found.trim(), 'hex');
  if (key.length === KEY_BYTES) return key;
  throw new FluxError('volume_unusable', `The file ${path} does not contain a key of ${KEY_BYTES} bytes in hex.`, {
    hint: 'Put back the right file: without it the passwords in the catalog cannot be read.',
  });
}
