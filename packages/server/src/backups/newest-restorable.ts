import { type BackupRow, listProvenBackups } from '../catalog/backups.ts';
import type { ProjectRow } from '../catalog/projects.ts';
import { checkArtifact, type ItemDeps } from './item.ts';
import { stateOf } from './trust.ts';

/** The newest restore-verified backup whose file exists with its size and is not recorded as damaged. The file is not read. */
export async function findNewestRestorable({ catalog, store }: ItemDeps, project: ProjectRow): Promise<BackupRow | undefined> {
  for (const row of await listProvenBackups(catalog.db, project.id))
    if (stateOf(row, await checkArtifact(store, row)).tier === 'restorable') return row;
  return undefined;
}
