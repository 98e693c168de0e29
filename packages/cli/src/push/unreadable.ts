import { FluxError } from '@flux/contract/errors';

/** The error for a file or folder that cannot be read. */
export function unreadable(path: string, cause: unknown): FluxError {
  const code = (cause as NodeJS.ErrnoException).code;
  if (code === 'ENOENT') return new FluxError('local_file', `There is no file or folder ${path}.`, { hint: 'Check the path.', cause });
  return new FluxError('local_file', `${path} cannot be read (${code ?? 'unknown reason'}).`, { hint: 'Check its permissions.', cause });
}
