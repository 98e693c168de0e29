import { isFluxError } from '@flux/contract/errors';
import type { RestoreAnswer } from '@flux/contract/restore';
import type { ProjectRow } from '../../catalog/projects.ts';
import type { EngineDirectory } from '../../engines/directory.ts';
import { replacedAtOf, type UndoData } from '../../engines/undo.ts';

/** Undo data, and when it is removed at the latest. */
export interface ExpiringUndoData extends UndoData {
  readonly expiresAt: Date;
}

/** The members of an answer that tell what was replaced. */
export type ReplacedFields = Pick<RestoreAnswer, 'previousKeptAs' | 'previousKeptUntil'>;

/** @param undoName name of the retained data; null when none was replaced */
export function replacedFields(undoName: string | null, undoKeepMs: number): ReplacedFields {
  const expiresAt = undoName === null ? null : expiryOf(replacedAtOf(undoName), undoKeepMs);
  return { previousKeptAs: undoName, previousKeptUntil: expiresAt?.toISOString() ?? null };
}

/** The undo data of a project, newest first. None is found while its Postgres does not run. */
export async function listUndoData(engines: EngineDirectory, row: ProjectRow, undoKeepMs: number): Promise<readonly ExpiringUndoData[]> {
  const { engine, project } = engines.of(row);
  try {
    const found = (await engine.undo?.list(project)) ?? [];
    return found.map((data) => ({ ...data, expiresAt: expiryOf(data.replacedAt, undoKeepMs) }));
  } catch (error) {
    if (isFluxError(error, 'instance_stopped') || isFluxError(error, 'instance_unavailable')) return [];
    throw error;
  }
}

function expiryOf(replacedAt: Date, undoKeepMs: number): Date {
  return new Date(replacedAt.getTime() + undoKeepMs);
}
