import { can, type Principal } from '../access/policy.ts';
import type { Viewer } from '../backups/item.ts';

/** How much of a backup a principal sees: paths of the server are for admins. */
export function viewerOf(principal: Principal): Viewer {
  return can(principal, 'backup.read_paths', null) === 'allowed' ? 'admin' : 'other';
}
