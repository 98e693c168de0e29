import type { RestoreAnswer } from '@flux/contract/restore';
import type { BackupRow } from '../../catalog/backups.ts';
import type { ProjectRow } from '../../catalog/projects.ts';

/**
 * The answer of a restore.
 *
 * @param project where the data is now; null for a database outside of Flux
 * @param outcome what was compared and replaced; nothing unless it says so
 */
export function answerRestore(
  how: RestoreAnswer['how'],
  backupId: BackupRow['id'] | null,
  project: ProjectRow | null,
  outcome: Partial<Omit<RestoreAnswer, 'ok' | 'how' | 'backupId' | 'project'>>,
): RestoreAnswer {
  return {
    ok: true,
    how,
    backupId,
    project: project === null ? null : { slug: project.slug, hash: project.hash, mode: project.engine },
    tablesCompared: 0,
    rowsCompared: 0,
    exceptions: [],
    notes: [],
    previousKeptAs: null,
    previousKeptUntil: null,
    presentBackupId: null,
    outageMs: null,
    ...outcome,
  };
}
