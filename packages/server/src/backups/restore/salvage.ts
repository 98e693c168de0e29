import type { FluxError } from '@flux/contract/errors';
import type { Task } from '../../operations/define.ts';
import { type ArchiveEntry, readArchiveToc } from '../../postgres/archive/toc.ts';
import type { PostgresPrograms } from '../../postgres/programs.ts';
import { type ArchiveDestination, type LocalArchive, loadArchive } from './load.ts';

/** What an emergency restore leaves out of its destination: it decides itself. */
export type SalvageDestination = Omit<ArchiveDestination, 'transaction' | 'afterError'>;

/**
 * Loads what can be loaded of an archive that is damaged, or that a verification could not restore: definitions first, going on after an error;
 * then the rows, each table as a whole or not at all; then indexes, constraints and the rest. What is lost, the comparison has to find.
 *
 * Rows are loaded in one transaction; where that fails, in halves, until the tables are known that do not load.
 *
 * @returns the first error, undefined when there was none
 * @throws FluxError `artifact_invalid` when not even the table of contents can be read; `postgres_failed` when pg_restore was stopped from outside
 */
export async function salvageArchive(
  programs: PostgresPrograms,
  archive: LocalArchive,
  destination: SalvageDestination,
  failure: { readonly summary: string; readonly hint: string },
  task: Task,
): Promise<FluxError | undefined> {
  const { entries } = await readArchiveToc(archive.path, task.signal);
  const wanted = entries.filter((entry) => !destination.omits(entry));
  const errors: FluxError[] = [];
  const load = async (chosen: readonly ArchiveEntry[], transaction: ArchiveDestination['transaction']): Promise<boolean> => {
    if (chosen.length === 0) return true;
    const ids = new Set(chosen.map(({ dumpId }) => dumpId));
    const part = { ...destination, transaction, afterError: 'go on', omits: (entry: ArchiveEntry) => !ids.has(entry.dumpId) } as const;
    const error = await loadArchive(programs, archive, part, failure, task);
    if (error !== undefined) errors.push(error);
    return error === undefined;
  };
  const loadRows = async (chosen: readonly ArchiveEntry[]): Promise<void> => {
    if ((await load(chosen, 'all or nothing')) || chosen.length === 1) return;
    const half = Math.ceil(chosen.length / 2);
    await loadRows(chosen.slice(0, half));
    await loadRows(chosen.slice(half));
  };
  const isRows = ({ section }: ArchiveEntry) => section === 'data';
  const isLater = ({ section, kind }: ArchiveEntry) => section === 'post-data' || kind === 'ACL' || kind === 'DEFAULT ACL';
  await load(
    wanted.filter((entry) => !isRows(entry) && !isLater(entry)),
    'statement by statement',
  );
  await loadRows(wanted.filter(isRows));
  await load(wanted.filter(isLater), 'statement by statement');
  return errors[0];
}
