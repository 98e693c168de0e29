import { randomBytes } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { FluxError } from '@flux/contract/errors';

/**
 * Writes a small file atomically: a reader finds either the old or the new content, complete.
 *
 * @throws FluxError `local_file`
 */
export async function writeFileAtomically(path: string, content: string, mode: number): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}`);
  try {
    const file = await open(temporary, 'wx', mode);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true });
    throw new FluxError('local_file', `${path} cannot be written (${(cause as NodeJS.ErrnoException).code ?? 'unknown reason'}).`, {
      hint: 'Check that the folder exists and is yours.',
      cause,
    });
  }
}
