import type { BackupId, ProjectId } from '@flux/contract/ids';
import { type BackupReference, parseKey } from '../../blobs/artifact-keys.ts';
import { listBackupStates } from '../../catalog/backups.ts';
import { findProjectById } from '../../catalog/projects.ts';
import { listNewestReceipts } from '../../catalog/receipts.ts';
import type { Adoption, Comparison, ReconcileDeps } from './adoption.ts';
import { examineBackup, nameOfUnknown } from './backups.ts';
import { examineOperations } from './operations.ts';
import { listPassedOver } from './passed-over.ts';
import { COMPARE_AGAIN, examineProjects } from './projects.ts';
import { adoptReceipt, type GenuineReceipt, nameIn, readGenuineReceipt } from './receipts.ts';
import type { ProjectName } from './removed-project.ts';
import { examineSigningKeys } from './signing-keys.ts';

/**
 * Compares the catalog with what is found: what servers and schemas say of themselves, artifacts, and copies of receipts. Adoptions are of
 * everything that the catalog does not know. Changes nothing.
 */
export async function examineFound(deps: ReconcileDeps): Promise<Comparison> {
  const { adoptions: projects, notCompared, unknownEngines } = await examineProjects(deps);
  const store = await examineStore(deps).catch((error: Error) => {
    deps.log.warn({ err: error }, 'the catalog was not compared with the backup store');
    return `The backup store was not compared with the catalog: ${error.message} ${COMPARE_AGAIN}`;
  });
  const { certain, likely } = typeof store === 'string' ? { certain: [], likely: [] } : store;
  const passedOver = await listPassedOver(deps);
  const marked = (adoptions: readonly Adoption[]) => adoptions.map((adoption) => markPassedOver(adoption, passedOver));
  const found = { projects: marked(projects), certain: marked(certain) };
  const isOld = [...found.projects, ...found.certain].some((adoption) => adoption.apply !== undefined && adoption.passedOver === undefined);
  // What is under way in a catalog that is up to date was cut off a moment ago, and its recovery is not our business.
  const underWay = isOld ? { likely: marked(likely), operations: await examineOperations(deps) } : { likely: [], operations: [] };
  return {
    // What is under way ends while something else is still to be adopted: only that tells the next start, when this adoption is cut off, that the
    // catalog is old. Unfinished backups whose artifact is there are completed first, because the end of their operation would fail them.
    adoptions: [...underWay.likely, ...underWay.operations, ...found.projects, ...found.certain],
    notCompared: typeof store === 'string' ? [...notCompared, store] : notCompared,
    unknownEngines,
  };
}

function markPassedOver(adoption: Adoption, passedOver: ReadonlyMap<string, string>): Adoption {
  const why = adoption.id === undefined ? undefined : passedOver.get(adoption.id);
  return why === undefined ? adoption : { ...adoption, passedOver: why };
}

/** What is in the store. `likely`: unfinished by the catalog, which is an everyday thing unless the catalog is known to be old. */
async function examineStore(deps: ReconcileDeps): Promise<{ readonly certain: readonly Adoption[]; readonly likely: readonly Adoption[] }> {
  const { publicKeys, adoptions: keys } = await examineSigningKeys(deps);
  const { unknown, unfinished, receipts } = await listStore(deps, publicKeys);
  const names = new Map<ProjectId, ProjectName>(receipts.map((receipt) => [receipt.projectId, nameIn(receipt)]));
  const examine = async (reference: BackupReference, catalogSays: 'nothing' | 'unfinished') => {
    const { projectId } = reference;
    const { slug, hash } = (await findProjectById(deps.catalog.db, projectId)) ?? names.get(projectId) ?? nameOfUnknown(projectId);
    return await examineBackup(deps, reference, { slug, hash }, catalogSays);
  };
  const backups = await inTurn(unknown, (reference) => examine(reference, 'nothing'));
  return {
    certain: [...keys, ...backups, ...receipts.map((receipt) => adoptReceipt(deps, receipt))],
    likely: await inTurn(unfinished, (reference) => examine(reference, 'unfinished')),
  };
}

/** Artifacts without a complete row, by age, and the receipts that continue the chains of the catalog, by sequence. */
async function listStore(
  deps: ReconcileDeps,
  publicKeys: ReadonlyMap<string, string>,
): Promise<{
  readonly unknown: readonly BackupReference[];
  readonly unfinished: readonly BackupReference[];
  readonly receipts: readonly GenuineReceipt[];
}> {
  const backups: BackupReference[] = [];
  const copies: { readonly projectId: ProjectId; readonly sequence: number }[] = [];
  for await (const { key } of deps.store.list('', new AbortController().signal)) {
    const place = parseKey(key);
    if (place === undefined) continue;
    if ('backupId' in place) backups.push(place);
    else copies.push(place);
  }
  // Read after the store was listed: another server may be working, and has a row of everything before there is a file of it. No row goes.
  const states = await listBackupStates(deps.catalog.db);
  const ends = new Map((await listNewestReceipts(deps.catalog.db)).map(({ project_id, seq }) => [project_id, seq]));
  const newer = copies.filter(({ projectId, sequence }) => sequence > (ends.get(projectId) ?? 0));
  backups.sort((a, b) => (a.backupId < b.backupId ? -1 : 1));
  newer.sort((a, b) => a.sequence - b.sequence);
  const receipts = await inTurn(newer, (place) => readGenuineReceipt(deps, place, publicKeys));
  const isUnfinished = (id: BackupId) => ['queued', 'running'].includes(states.get(id) ?? '');
  return {
    unknown: backups.filter(({ backupId }) => !states.has(backupId)),
    unfinished: backups.filter(({ backupId }) => isUnfinished(backupId)),
    receipts: receipts.filter((receipt) => receipt !== undefined),
  };
}

async function inTurn<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<readonly R[]> {
  const results: R[] = [];
  for (const item of items) results.push(await work(item));
  return results;
}
