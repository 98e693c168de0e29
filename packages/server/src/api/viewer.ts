import { can, type Principal } from '../access/policy.ts';
import type { Viewer } from '../backups/item.ts';

/** How much of a backup a principal may see: only admins see paths of the server. */
export function viewerOf(principal: Principal): Viewer {
  return can(principal, 'backup.read_paths', null) === 'allowed' ? 'admin' : 'other';
}
