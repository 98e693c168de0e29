import type { Finding } from '@flux/contract/doctor';
import { isFluxError } from '@flux/contract/errors';
import type { ProjectRow } from '../../catalog/projects.ts';
import { replacedAtOf, type UndoData } from '../../engines/undo.ts';
import type { ProjectDoors } from '../doors.ts';

/** What `flux doctor` calls it. */
export const KEPT = 'kept for --undo';

/** Until when something that was replaced then is kept. */
export function keptUntil(replacedAt: Date, undoKeepMs: number): Date {
  return new Date(replacedAt.getTime() + undoKeepMs);
}

/** What an answer says of that which was replaced. */
export interface KeptFields {
  readonly previousKeptAs: string | null;
  readonly previousKeptUntil: string | null;
}

/** @param keptAs null when nothing was kept */
export function keptFields({ undoKeepMs }: Pick<ProjectDoors, 'undoKeepMs'>, keptAs: string | null): KeptFields {
  const until = keptAs === null ? null : keptUntil(replacedAtOf(keptAs), undoKeepMs).toISOString();
  return { previousKeptAs: keptAs, previousKeptUntil: until };
}

/** What is kept of a project, newest first. A project whose Postgres does not run has nothing that could be looked at. */
export async function listKept(doors: ProjectDoors, row: ProjectRow): Promise<readonly UndoData[]> {
  const { engine, project } = doors.engines.of(row);
  try {
    return (await engine.undo?.list(project)) ?? [];
  } catch (error) {
    if (isFluxError(error, 'instance_stopped') || isFluxError(error, 'instance_unavailable')) return [];
    throw error;
  }
}

/** What is kept, its size and until when, for `flux doctor`. */
export async function keptFindings(doors: ProjectDoors, row: ProjectRow): Promise<Finding[]> {
  const kept = await listKept(doors, row);
  return kept.map(({ name, replacedAt, sizeBytes, isWhole }) => {
    const size = `${(sizeBytes / 2 ** 20).toFixed(1)} MiB`;
    const until = keptUntil(replacedAt, doors.undoKeepMs).toISOString();
    const found = isWhole
      ? `${name} (${size}), which a restore in place has replaced, until ${until}.`
      : `The removal of ${name} (${size}) was cut short; it is removed with the next restore in place, at the latest after ${until}.`;
    return { severity: 'fine', what: KEPT, found, command: null };
  });
}
