import { FluxError } from '@flux/contract/errors';
import { findInstallation, listLiveHomes } from '../catalog/installation.ts';
import type { Catalog } from '../catalog/open.ts';

/**
 * A server of a project's own lies in one data folder, and any of the servers that share a catalog may be asked to work on it: where their
 * folders differ, there can be none. While one runs alone, its folder must be the one that the catalog belongs to, because the server of
 * that folder may come back and be asked.
 *
 * @throws FluxError `not_ready`
 */
export async function requireOneHome(catalog: Catalog): Promise<void> {
  const homes = await listLiveHomes(catalog);
  if (homes.size > 1)
    throw new FluxError(
      'not_ready',
      `${homes.size} control planes with data folders of their own share the catalog: a dedicated project would lie in only one of them.`,
      { hint: 'Use --mode v2_shared, attach a database with --attach, or stop the other control plane.' },
    );
  const installation = await findInstallation(catalog.db);
  if (homes.size === 0 || installation === undefined || homes.has(installation.home)) return;
  throw new FluxError(
    'not_ready',
    'The catalog belongs to another data folder than that of this control plane: the control plane of that folder would not have the server of a dedicated project.',
    {
      hint: 'Use --mode v2_shared, attach a database with --attach, or ask the control plane of that folder. If that folder is lost, stop this one and run `flux-server reconcile --apply`, which makes this folder its successor.',
    },
  );
}
