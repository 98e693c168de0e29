import { FluxError } from '@flux/contract/errors';
import { listLiveHomes } from '../catalog/installation.ts';
import type { Catalog } from '../catalog/open.ts';

/**
 * A server of a project's own lies in one data folder, and any of the servers that share a catalog may be asked to work on it: where their
 * folders differ, there can be none.
 *
 * @throws FluxError `not_ready`
 */
export async function requireOneHome(catalog: Catalog): Promise<void> {
  const homes = await listLiveHomes(catalog);
  if (homes.size < 2) return;
  throw new FluxError(
    'not_ready',
    `${homes.size} control planes with data folders of their own share the catalog: a dedicated project would lie in only one of them.`,
    { hint: 'Use --mode v2_shared, attach a database with --attach, or stop the other control plane.' },
  );
}
