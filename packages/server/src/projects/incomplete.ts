import { FluxError, isFluxError } from '@flux/contract/errors';
import type { Catalog } from '../catalog/open.ts';
import {
  claimIncompleteProject,
  deleteIncompleteProject,
  listIncompleteProjects,
  lockProject,
  markProjectRemoved,
  type ProjectRow,
} from '../catalog/projects.ts';
import { isWorkerAlive } from '../catalog/worker-lease.ts';
import type { EngineDirectory } from '../engines/directory.ts';
import type { RemoveOptions } from '../engines/engine.ts';
import type { Lease } from '../operations/lease.ts';
import type { Clock } from '../system/clock.ts';
import type { Log } from '../system/log.ts';
import { refuseRacedName } from './record.ts';
import { declareStanding } from './standing.ts';

/** What removing incomplete projects uses. */
export interface RemoveIncompleteDeps {
  readonly catalog: Catalog;
  readonly engines: EngineDirectory;
  readonly clock: Clock;
  readonly log: Log;
}

type RemoveIncompleteOptions = RemoveOptions & {
  /** When it was removed before; now, when it was not. */
  readonly removedAt?: Date | null;
  /** The worker that removes it; its creator, when absent. */
  readonly by?: string;
};

/**
 * Removes a project whose creation or restore failed, from Postgres and then from the catalog. One that was removed before and was
 * being restored has backups, and one that was recorded elsewhere has that: they keep their row, and are marked removed. One that is live by now
 * stays: the answer to the commit that made it so was lost. Never throws: what is left in the catalog is tried again at the next start.
 *
 * No transaction is open while the engine works: a server of Postgres that hangs must not take the sessions of the catalog with it.
 */
export async function removeIncompleteProject(
  deps: RemoveIncompleteDeps,
  row: ProjectRow,
  { removedAt = null, by = row.worker_id as string, ...options }: RemoveIncompleteOptions = {},
): Promise<void> {
  const { catalog, engines, clock, log } = deps;
  try {
    const { engine, project } = engines.of(row);
    const claim = await claimRemoval(deps, row, by);
    if (claim.kind === 'left') return await declareStanding(deps, row.id);
    // Also when another server has removed it before: what was provisioned since then is not in any list.
    await engine.remove(project, options);
    if (claim.kind === 'no row') return;
    await catalog.db.transaction().execute(async (db) => {
      const now = await lockProject(db, row.id);
      // Its creator lives after all, and removes it itself.
      if (now?.lifecycle !== 'removing' || now.worker_id !== by) return;
      const isDeleted = claim.wasRemovedAt === null && (await deleteIncompleteProject(db, row.id));
      if (!isDeleted) await markProjectRemoved(db, row.id, claim.wasRemovedAt ?? removedAt ?? clock.now());
    });
  } catch (error) {
    log.error({ err: error, project: row.hash }, 'could not remove an incomplete project');
  }
}

/** What became of a claim: the row is of this worker, there is no row to claim, or it is live or in use by somebody else. */
type Claim = { readonly kind: 'claimed'; readonly wasRemovedAt: Date | null } | { readonly kind: 'no row' } | { readonly kind: 'left' };

/** Has nobody make the project live, or begin to restore it, until it is removed. A commit that is under way is waited for. */
async function claimRemoval({ catalog }: RemoveIncompleteDeps, row: ProjectRow, by: string): Promise<Claim> {
  const claim = () =>
    catalog.db.transaction().execute(async (db): Promise<Claim> => {
      const now = await lockProject(db, row.id);
      if (now === undefined) return { kind: 'no row' };
      const isUnchanged = now.lifecycle === row.lifecycle && now.worker_id === row.worker_id;
      // A server that took its creator for dead may have removed it before the creator provisioned the rest.
      const isTaken = now.lifecycle === 'removing' && now.worker_id !== null && by === row.worker_id;
      if (!isUnchanged && !isTaken && now.lifecycle !== 'removed') return { kind: 'left' };
      await claimIncompleteProject(db, row.id, by);
      return { kind: 'claimed', wasRemovedAt: now.removed_at };
    });
  return refuseRacedName(row.slug, claim).catch((error): Claim => {
    // Removed before, and not to be restored either while another project has its name.
    if (isFluxError(error, 'name_taken')) return { kind: 'no row' };
    throw error;
  });
}

/** What a creation is told whose project was removed by a server that took its creator for dead. */
export function removedMeanwhile({ slug }: Pick<ProjectRow, 'slug'>): FluxError {
  return new FluxError('interrupted', `${slug} was removed while it was being created: another server took this one for dead.`, {
    hint: 'Run the command again.',
  });
}

/** Removes the projects that dead workers were creating, or had begun to remove. Those of a live server are left alone. */
export async function removeIncompleteProjects(
  deps: RemoveIncompleteDeps & { readonly operations: { readonly lease: Pick<Lease, 'held'> } },
  signal: AbortSignal,
): Promise<void> {
  for (const { lockKey, ...row } of await listIncompleteProjects(deps.catalog.db)) {
    if (signal.aborted) return;
    if (await isWorkerAlive(deps.catalog, lockKey)) continue;
    deps.log.warn({ project: row.hash, slug: row.slug }, 'removing a project whose creation was interrupted');
    await removeIncompleteProject(deps, row, { to: 'trash', signal, by: deps.operations.lease.held().workerId });
  }
}
