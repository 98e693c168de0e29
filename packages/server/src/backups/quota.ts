import { FluxError } from '@flux/contract/errors';
import type { ProjectId } from '@flux/contract/ids';
import type { OperationKind } from '@flux/contract/operation-kind';
import { QuotaLimits } from '@flux/contract/quota';
import type { BlobStore } from '../blobs/store.ts';
import type { Actor } from '../catalog/audit.ts';
import type { Catalog } from '../catalog/open.ts';
import { findProjectById, type ProjectRow } from '../catalog/projects.ts';
import { type CountedUse, countUse, listUnmeasured, recordMeasure } from '../catalog/quotas.ts';
import { parseStored } from '../catalog/stored-json.ts';
import type { EngineDirectory } from '../engines/directory.ts';
import type { Clock } from '../system/clock.ts';
import type { Log } from '../system/log.ts';
import { findNewestRestorable } from './newest-restorable.ts';

/** What quotas use. */
export interface QuotaDeps {
  readonly catalog: Catalog;
  readonly clock: Clock;
  readonly log: Log;
  readonly store: BlobStore;
  readonly engines: EngineDirectory;
  /** Of the server; a project may have others. */
  readonly quotas: QuotaLimits;
}

/** Work that a quota can refuse. What brings data back, removes it or makes room is never refused. */
export type Limited = 'push' | 'backup_create' | 'backup_verify' | 'backup_import';

const COUNTED: readonly OperationKind[] = ['push', 'backup_create', 'backup_verify', 'backup_import'] satisfies readonly Limited[];
const DAY_MS = 86_400_000;
/** A measure that is younger is good enough. */
const FRESH_MS = 10_000;
/** Projects that nobody asks about are measured this often. */
const IDLE_MS = 30 * 60_000;
const MEASURE_TIMEOUT_MS = 5000;
/** So many are measured one after the other; the next ones a minute later. */
const AT_ONCE = 20;
/**
 * While no backup is proven and intact it must be possible to create one: so many backups beyond the limit, and so many times its disk, are
 * allowed then.
 */
const WITHOUT_PROOF = { moreBackups: 2, timesDisk: 2 };

type OwnLimits = { readonly [Limit in keyof QuotaLimits]?: number };

/** What a project uses and may use. */
export interface QuotaState {
  readonly limits: QuotaLimits;
  readonly own: OwnLimits;
  readonly used: CountedUse & { readonly databaseBytes: number | null; readonly measuredAt: Date | null };
}

/** Reads what a project uses; its database is measured unless that was done within the last 10 s. */
export async function readQuota(deps: QuotaDeps, project: ProjectRow): Promise<QuotaState> {
  const own = ownLimits(project);
  const used = await countNow(deps, project);
  return { limits: { ...deps.quotas, ...own }, own, used: { ...used, ...(await measure(deps, project)) } };
}

/** The same without measuring: with the size that was measured last. */
export async function readKnownQuota(deps: Pick<QuotaDeps, 'catalog' | 'clock' | 'quotas'>, project: ProjectRow): Promise<QuotaState> {
  const own = ownLimits(project);
  const { measured_bytes: databaseBytes, measured_at: measuredAt } = project;
  return { limits: { ...deps.quotas, ...own }, own, used: { ...(await countNow(deps, project)), databaseBytes, measuredAt } };
}

function countNow({ catalog, clock }: Pick<QuotaDeps, 'catalog' | 'clock'>, project: ProjectRow): Promise<CountedUse> {
  return countUse(catalog.db, project.id, { kinds: COUNTED, since: new Date(clock.now().getTime() - DAY_MS) });
}

/** The limits of a project that are not the settings of the server. */
export function ownLimits(project: ProjectRow): OwnLimits {
  const stored = parseStored(QuotaLimits.partial(), project.quota, `The quota of ${project.slug}`);
  return Object.fromEntries(Object.entries(stored).filter(([, limit]) => limit !== undefined));
}

/**
 * Refuses what a user asks for when their project has used up what it may. What the control plane does by itself is not counted, nor the
 * safety backup that an operation takes before it replaces data.
 *
 * @throws FluxError `quota_reached`
 */
export async function requireQuota(deps: QuotaDeps, project: ProjectRow, requester: Actor, wants: Limited): Promise<void> {
  if (requester.tokenId === null) return;
  const limits = { ...deps.quotas, ...ownLimits(project) };
  const used = await countNow(deps, project);
  const { slug } = project;
  if (used.operations >= limits.operationsPerDay)
    throw reached(
      project,
      `${slug} was asked for ${used.operations} pushes, backups, verifications and imports within 24 hours, and may have ${limits.operationsPerDay}.`,
      'Wait',
      `--operations ${2 * limits.operationsPerDay}`,
    );
  if (wants === 'backup_verify') return;
  const makesRoom = `Delete backups that are not needed (\`flux backup list --project ${slug} --hash ${project.hash}\`, \`flux backup delete\`)`;
  const databaseBytes = (await measure(deps, project)).databaseBytes ?? 0;
  const total = databaseBytes + used.backupBytes;
  if (
    total >= limits.diskBytes &&
    (wants === 'push' || !(await mayReplace(deps, project, total < limits.diskBytes * WITHOUT_PROOF.timesDisk)))
  )
    throw reached(
      project,
      `${slug} uses ${mebibytes(total)} (database ${mebibytes(databaseBytes)}, ${used.backups} backups ${mebibytes(used.backupBytes)}), and may use ${mebibytes(limits.diskBytes)}.`,
      makesRoom,
      `--disk ${Math.ceil((2 * total) / 2 ** 20)}MiB`,
    );
  if (
    wants !== 'push' &&
    used.backups >= limits.backups &&
    !(await mayReplace(deps, project, used.backups < limits.backups + WITHOUT_PROOF.moreBackups))
  )
    throw reached(
      project,
      `${slug} keeps ${used.backups} backups, and may keep ${limits.backups}.`,
      makesRoom,
      `--backups ${2 * limits.backups}`,
    );
}

/** Whether the project has no proven and intact backup, and does not exceed its limits by much: then a new backup is its way back. */
async function mayReplace(deps: QuotaDeps, project: ProjectRow, isWithin: boolean): Promise<boolean> {
  return isWithin && (await findNewestRestorable(deps, project)) === undefined;
}

function reached(project: ProjectRow, what: string, makesRoom: string, option: string): FluxError {
  return new FluxError('quota_reached', `${what} Nothing was done.`, {
    hint: `${makesRoom}, or have an admin allow more: \`flux project quota ${project.slug} --hash ${project.hash} ${option}\`.`,
  });
}

/** When measuring a project was last tried, in milliseconds; kept from one call of `measureSome` to the next. */
export type MeasureAttempts = Map<ProjectId, number>;

/**
 * Measures some projects that were not measured for a while, so that lists and alerts know of them. Those come first of which an attempt is
 * longest ago, whether it succeeded or not: projects that cannot be measured must not keep the others from their turn.
 */
export async function measureSome(deps: QuotaDeps, attempts: MeasureAttempts, signal: AbortSignal): Promise<void> {
  const { catalog, clock } = deps;
  const unmeasured = await listUnmeasured(catalog.db, new Date(clock.now().getTime() - IDLE_MS));
  const due = new Map(unmeasured.map(({ id, measured_at }) => [id, Math.max(measured_at?.getTime() ?? 0, attempts.get(id) ?? 0)]));
  for (const id of attempts.keys()) if (!due.has(id)) attempts.delete(id);
  for (const [id] of [...due].sort(([, a], [, b]) => a - b).slice(0, AT_ONCE)) {
    if (signal.aborted) return;
    attempts.set(id, clock.now().getTime());
    const project = await findProjectById(catalog.db, id);
    if (project?.lifecycle === 'active') await measure(deps, project);
  }
}

type Measured = { readonly databaseBytes: number | null; readonly measuredAt: Date | null };

/** The size of the database, as it is or as it was last measured. */
async function measure({ catalog, clock, engines, log }: QuotaDeps, project: ProjectRow): Promise<Measured> {
  const known = { databaseBytes: project.measured_bytes, measuredAt: project.measured_at };
  const now = clock.now();
  if (known.measuredAt !== null && Math.abs(now.getTime() - known.measuredAt.getTime()) < FRESH_MS) return known;
  try {
    const { engine, project: opened } = engines.of(project);
    if (engine.measureBytes === undefined) return { databaseBytes: null, measuredAt: null };
    const databaseBytes = await engine.measureBytes(opened, AbortSignal.timeout(MEASURE_TIMEOUT_MS));
    await recordMeasure(catalog.db, project.id, databaseBytes, now);
    return { databaseBytes, measuredAt: now };
  } catch (error) {
    // One that is stopped grows no more; another one is measured at the next occasion.
    log.debug({ err: error, project: project.hash }, 'the size of a project could not be measured');
    return known;
  }
}

function mebibytes(bytes: number): string {
  return bytes >= 10 * 2 ** 30 ? `${(bytes / 2 ** 30).toFixed(1)} GiB` : `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
