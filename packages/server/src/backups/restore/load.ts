import { FluxError } from '@flux/contract/errors';
import type { Task } from '../../operations/define.ts';
import type { PostgresPrograms } from '../../postgres/programs.ts';
import { type ArchiveRestore, restoreArchive } from '../../postgres/restore-archive.ts';

/** A local archive, and what its bytes must be. */
export interface LocalArchive {
  readonly path: string;
  readonly sha256: string;
  readonly sizeBytes: number;
}

/** Where an archive is loaded, and how. */
export type ArchiveDestination = Pick<
  ArchiveRestore,
  'major' | 'target' | 'grants' | 'transaction' | 'omits' | 'moneyLocale' | 'afterError'
>;

/**
 * Loads an archive with pg_restore and reports its progress in bytes.
 *
 * @param failure begins the message of the error, and says what helps
 * @returns the error of a restore that went on after it (`afterError`), which the comparison has to judge; undefined when there was none
 * @throws FluxError `postgres_failed` with the end of pg_restore's output; what `restoreArchive` throws
 */
export async function loadArchive(
  programs: PostgresPrograms,
  archive: LocalArchive,
  destination: ArchiveDestination,
  failure: { readonly summary: string; readonly hint: string },
  task: Task,
): Promise<FluxError | undefined> {
  const progress = { phase: 'restore', message: 'Restoring with pg_restore', total: archive.sizeBytes, unit: 'bytes' } as const;
  task.progress(progress);
  const outcome = await restoreArchive(programs, {
    ...destination,
    path: archive.path,
    sha256: archive.sha256,
    onBytes: (done) => task.progress({ ...progress, done }),
    signal: task.signal,
  });
  if (outcome.kind === 'success') return undefined;
  task.signal.throwIfAborted();
  const error = new FluxError('postgres_failed', `${failure.summary}: ${outcome.message}`, {
    hint: failure.hint,
    details: { toolOutput: outcome.output },
  });
  if (destination.afterError === 'go on' && outcome.kind === 'failed') return error;
  throw error;
}
