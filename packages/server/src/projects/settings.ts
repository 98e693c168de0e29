import type { SetProjectRequest } from '@flux/contract/project';
import { type Actor, recordAudit } from '../catalog/audit.ts';
import type { Catalog } from '../catalog/open.ts';
import { type ProjectRow, setPushPolicy } from '../catalog/projects.ts';
import { requireActive } from './active.ts';

/** Changes the settings of a project that were given, and returns its row as it is then. @throws FluxError `not_ready` */
export async function changeSettings(
  { catalog }: { readonly catalog: Catalog },
  row: ProjectRow,
  actor: Actor,
  { pushPolicy }: SetProjectRequest,
): Promise<ProjectRow> {
  requireActive(row);
  await catalog.db.transaction().execute(async (db) => {
    await setPushPolicy(db, row.id, pushPolicy);
    await recordAudit(db, actor, {
      action: 'project.settings',
      projectId: row.id,
      subject: row.slug,
      details: { pushPolicy, before: row.push_policy },
    });
  });
  return { ...row, push_policy: pushPolicy };
}
