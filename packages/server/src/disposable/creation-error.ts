import { FluxError } from '@flux/contract/errors';
import { volumeError } from '../instances/folders.ts';

/**
 * Tells what it means to a verification that a disposable Postgres could not be created: never something about the backup. Errors that
 * are ours, and those of a disk, pass with their own code; any other becomes `verification_inconclusive`.
 */
export function toCreationError(error: unknown): FluxError {
  const told = volumeError(error, 'while a disposable Postgres was being created');
  if (told instanceof FluxError) return told;
  const reason = error instanceof Error ? error.message : String(error);
  return new FluxError('verification_inconclusive', `A disposable Postgres could not be created: ${reason}`, { cause: error });
}
