import { FluxError } from '@flux/contract/errors';
import type { ProjectRow } from '../catalog/projects.ts';

/** Refuses what only an active project can do. @throws FluxError `not_ready` */
export function requireActive(row: ProjectRow): void {
  if (row.lifecycle === 'active') return;
  const removed = row.lifecycle === 'removed' || row.lifecycle === 'removing';
  throw new FluxError('not_ready', `${row.slug} is ${row.lifecycle}.`, {
    hint: removed ? `Its backups are still there: \`flux backup list --hash ${row.hash}\`.` : 'See `flux list`.',
  });
}
