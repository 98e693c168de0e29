import { copyMissingReceipts, type ReceiptCopyDeps } from '../backups/receipt/copy.ts';
import type { BlobStore } from '../blobs/store.ts';
import type { Workspace } from '../blobs/workspace.ts';
import { isWorkerIdAlive } from '../catalog/worker-lease.ts';
import type { DisposableProvider } from '../disposable/provider.ts';
import type { BoundOperation } from '../operations/define.ts';
import { endInherited } from '../operations/inherited.ts';
import { recoverOperations } from '../operations/recover.ts';
import type { RunDeps } from '../operations/run.ts';
import { type RemoveIncompleteDeps, removeIncompleteProjects } from '../projects/incomplete.ts';
import { endInterruptedMigrations } from '../projects/migrate/clean-up.ts';
import { finishRemovals, type NukeDeps } from '../projects/nuke.ts';
import type { ReconcileDeps } from '../projects/reconcile/adoption.ts';
import { declareAll } from '../projects/standing.ts';
import type { Troubles } from '../system/troubles.ts';
import { requireUpToDate } from './reconcile.ts';

/** What recovering from a kill uses. */
export interface RecoverParts extends RemoveIncompleteDeps, NukeDeps, ReconcileDeps, ReceiptCopyDeps {
  readonly store: BlobStore;
  readonly operations: RunDeps;
  readonly troubles: Troubles;
  readonly sandbox: { readonly disposables: DisposableProvider; readonly workspace: Workspace };
}

/**
 * What a killed server left goes before anything new begins. Something that cannot be removed, or read, is logged and in nobody's way: the
 * workers try again, and the next start.
 *
 * @returns what the catalog could not be compared with, a sentence each
 * @throws FluxError `catalog_outdated` before anything is removed, when the catalog is older than what is found
 */
export async function recover(parts: RecoverParts, kinds: ReadonlyMap<string, BoundOperation>): Promise<readonly string[]> {
  const { catalog, store, operations, sandbox, troubles } = parts;
  const { stopping } = operations;
  const isAlive = (id: string) => isWorkerIdAlive(catalog, id);
  const goOn = (what: string, work: () => Promise<unknown>) => troubles.attempt(what, work);
  // Everything below believes the catalog.
  const { open, unknownEngines } = await requireUpToDate(parts);
  await endInherited(operations, kinds, unknownEngines);
  await goOn('writing what projects are', () => declareAll(parts));
  await goOn('copying receipts', () => copyMissingReceipts(parts));
  await goOn('sweeping what verifications left', () => sandbox.disposables.sweep());
  await goOn('sweeping what unfinished backups left', () => store.sweepDrafts(isAlive, stopping));
  await goOn('sweeping what was lent to tools', () => sandbox.workspace.sweep(isAlive));
  await goOn('recovering operations', () => recoverOperations(operations, kinds));
  await goOn('removing incomplete projects', () => removeIncompleteProjects(parts, stopping));
  await goOn('ending interrupted migrations', () => endInterruptedMigrations(parts, stopping));
  await goOn('finishing removals', () => finishRemovals(parts, stopping));
  return open;
}
