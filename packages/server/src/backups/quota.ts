import { FluxError } from '@flux/contract/errors';
import type { ProjectId } from '@flux/contract/ids';
import type { OperationKind } from '@flux/contract/operation-kind';
import { QuotaLimits } from '@flux/contract/quota';
import type { BlobStore } from '../blobs/store.ts';
import type { Actor } from '../catalog/audit.ts';
import type { Catalog, DatabaseTransaction } from '../catalog/open.ts';
import { findProjectById, lockProject, type ProjectRow } from '../catalog/projects.ts';
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
 * allowed then. Not to imported files, which are never a way back for the data of the project.
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

/** What counting uses: the catalog, or a transaction of it. */
interface CountDeps {
  readonly catalog: Pick<Catalog, 'db'>;
  readonly clock: Clock;
}

function countNow({ catalog, clock }: CountDeps, project: ProjectRow): Promise<CountedUse> {
  return countUse(catalog.db, project.id, { kinds: COUNTED, since: new Date(clock.now().getTime() - DAY_MS) });
}

/** The limits of a project that are not the settings of the server. */
export function ownLimits(project: ProjectRow): OwnLimits {
  const stored = parseStored(QuotaLimits.partial(), project.quota, `The quota of ${project.slug}`);
  return Object.fromEntries(Object.entries(stored).filter(([, limit]) => limit !== undefined));
}

/** What a user may do now. */
export interface Allowance {
  /** How much more of the disk their project may use. */
  readonly bytesLeft: number;
  /** The error for a file that is larger than that, of which so many bytes are known. */
  tooLarge(bytes: number): FluxError;
  /**
   * Counts again. Called first in the transaction that records the work: it waits for other work of the project that is being recorded, so
   * that requests at the same time do not get beyond a limit together.
   *
   * @param storedBytes what is stored already for the work
   * @throws FluxError `quota_reached`
   */
  requireStill(db: DatabaseTransaction, storedBytes?: number): Promise<void>;
}

/**
 * Refuses what a user asks for when their project has used up what it may. What the control plane does by itself is not counted, nor the
 * safety backup that an operation takes before it replaces data.
 *
 * @throws FluxError `quota_reached`
 */
export async function requireQuota(deps: QuotaDeps, project: ProjectRow, requester: Actor, wants: Limited): Promise<Allowance> {
  const limits = { ...deps.quotas, ...ownLimits(project) };
  // A pooled project's own token stands for its owner, and is none of the user's.
  const isLimited = requester.userId !== null;
  const counted = isLimited ? await countNow(deps, project) : NOTHING_USED;
  if (isLimited) requireOperations(project, limits, counted);
  const databaseBytes = isLimited && wants !== 'backup_verify' ? ((await measure(deps, project)).databaseBytes ?? 0) : 0;
  const used = { ...counted, databaseBytes };
  const isOver = totalOf(used) >= limits.diskBytes || used.backups >= limits.backups;
  const isWithoutProof = isLimited && wants === 'backup_create' && isOver && (await findNewestRestorable(deps, project)) === undefined;
  const allowed = isWithoutProof
    ? { diskBytes: limits.diskBytes * WITHOUT_PROOF.timesDisk, backups: limits.backups + WITHOUT_PROOF.moreBackups }
    : limits;
  const requireRoom = (now: Used, storedBytes: number) => {
    // Where nothing is left, nothing may begin, whatever it will store.
    if (totalOf(now) + Math.max(1, storedBytes) > allowed.diskBytes) throw diskReached(project, limits, now, storedBytes);
    if (wants !== 'push' && now.backups >= allowed.backups) throw backupsReached(project, limits, now);
  };
  if (isLimited && wants !== 'backup_verify') requireRoom(used, 0);
  return {
    bytesLeft: isLimited ? allowed.diskBytes - totalOf(used) : Number.POSITIVE_INFINITY,
    tooLarge: (bytes) => diskReached(project, limits, used, bytes),
    requireStill: async (db, storedBytes = 0) => {
      if (!isLimited) return;
      await lockProject(db, project.id);
      const now = { ...(await countNow({ catalog: { db }, clock: deps.clock }, project)), databaseBytes };
      requireOperations(project, limits, now);
      if (wants !== 'backup_verify') requireRoom(now, storedBytes);
    },
  };
}

type Used = CountedUse & { readonly databaseBytes: number };

const NOTHING_USED: CountedUse = { backups: 0, backupBytes: 0, operations: 0 };

function totalOf({ databaseBytes, backupBytes }: Used): number {
  return databaseBytes + backupBytes;
}

/** @throws FluxError `quota_reached` */
function requireOperations(project: ProjectRow, { operationsPerDay }: QuotaLimits, { operations }: CountedUse): void {
  if (operations < operationsPerDay) return;
  throw reached(
    project,
    `${project.slug} was asked for ${operations} pushes, backups, verifications and imports within 24 hours, and may have ${operationsPerDay}.`,
    'Wait',
    `--operations ${2 * operationsPerDay}`,
  );
}

function diskReached(project: ProjectRow, { diskBytes }: QuotaLimits, used: Used, fileBytes: number): FluxError {
  const { slug } = project;
  const file = fileBytes === 0 ? '' : ` A file of at least ${mebibytes(fileBytes)} does not fit beside that and other uploads.`;
  return reached(
    project,
    `${slug} uses ${mebibytes(totalOf(used))} (database ${mebibytes(used.databaseBytes)}, ${used.backups} backups ${mebibytes(used.backupBytes)}), and may use ${mebibytes(diskBytes)}.${file}`,
    makesRoom(project),
    `--disk ${Math.ceil((2 * (totalOf(used) + fileBytes)) / 2 ** 20)}MiB`,
  );
}

function backupsReached(project: ProjectRow, { backups: limit }: QuotaLimits, { backups }: Used): FluxError {
  return reached(project, `${project.slug} keeps ${backups} backups, and may keep ${limit}.`, makesRoom(project), `--backups ${2 * limit}`);
}

function makesRoom({ slug, hash }: ProjectRow): string {
  return `Delete backups that are not needed (\`flux backup list --project ${slug} --hash ${hash}\`, \`flux backup delete\`)`;
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
