import { FluxError, isFluxError } from '@flux/contract/errors';

/** Converts an error of the file system to one that describes the volume. FluxErrors, aborts and other errors pass through. */
export function toVolumeError(error: unknown): unknown {
  if (isFluxError(error)) return error;
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new FluxError('volume_full', 'The backup volume is full.', {
      hint: 'Free space in FLUX_BACKUPS_LOCAL_DIR or delete old backups, then run the command again. Where `df -h` shows space, look at its inodes: `df -i`.',
      cause: error,
    });
  }
  if (code === undefined || syscall === undefined) return error;
  // The reason without the path: this message is also shown to users who may not see paths of the server.
  const reason = (error as Error).message.replace(/, \w+(?: '.*)?$/s, '');
  return new FluxError('volume_unusable', `The backup volume cannot be used: ${reason}.`, {
    hint: 'Check that FLUX_BACKUPS_LOCAL_DIR exists and that the control plane may write to it.',
    cause: error,
  });
}

/** Whether an error says that a file or folder does not exist. */
export function isMissing(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOENT' || code === 'ENOTDIR';
}
