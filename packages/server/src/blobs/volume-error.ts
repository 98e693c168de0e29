import { FluxError, isFluxError } from '@flux/contract/errors';

/** Tells what is wrong with the volume. Errors that are ours, an abort, and errors that are not of the file system pass through. */
export function toVolumeError(error: unknown): unknown {
  if (isFluxError(error)) return error;
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new FluxError('volume_full', 'The backup volume is full.', {
      hint: 'Free space in FLUX_BACKUPS_LOCAL_DIR or delete old backups, then run the command again.',
      cause: error,
    });
  }
  if (code === undefined || syscall === undefined) return error;
  // The reason without the path: this text reaches people who may not know where things are on the server.
  const reason = (error as Error).message.replace(/, \w+(?: '.*)?$/s, '');
  return new FluxError('volume_unusable', `The backup volume cannot be used: ${reason}.`, {
    hint: 'Check that FLUX_BACKUPS_LOCAL_DIR exists and that the control plane may write to it.',
    cause: error,
  });
}

/** Tells whether a file or folder is not there. */
export function isMissing(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOENT' || code === 'ENOTDIR';
}
