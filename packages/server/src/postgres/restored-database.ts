import { availableParallelism } from 'node:os';
import type { Difference } from '@flux/contract/backup';
import type { Progress } from '@flux/contract/operation';
import { connectPostgres, sqlStateOf } from './connect.ts';
import { type Arbiter, changedDefinitions } from './manifest/changed-definitions.ts';
import { compareManifests } from './manifest/compare.ts';
import { measureRestored } from './manifest/measure.ts';
import { excuseUnfilledViews } from './manifest/unfilled-views.ts';
import type { Manifest } from './manifest.ts';
import { restoreArguments } from './restore.ts';
import { UNBOUNDED } from './session-settings.ts';
import type { PostgresTarget } from './target.ts';

/** The content of a restored database. */
export interface Comparison {
  readonly differences: readonly Difference[];
  readonly tablesCompared: number;
  readonly rowsCompared: number;
  readonly objectsCompared: Readonly<Record<string, number>>;
}

/** The processors share restore and digests; more sessions than these only wait for each other. */
const PARALLEL = Math.max(2, Math.min(4, availableParallelism()));
/** Below this size of a database, a second job of pg_restore takes longer to start than it saves. */
const JOBS_FROM_BYTES = 64 * 2 ** 20;

/** The options of pg_restore for the verification of an archive with this manifest. */
export function restoreArgumentsFor({ backupKind, tables }: Pick<Manifest, 'backupKind' | 'tables'>, jobs: number): readonly string[] {
  const afterError = tables.some(({ readsOtherServers }) => readsOtherServers === true) ? 'go on' : 'stop';
  return restoreArguments({ kind: backupKind, jobs, afterError });
}

/** How many jobs of pg_restore a database of this size is worth. */
export function jobsFor(databaseBytes: number): number {
  return databaseBytes < JOBS_FROM_BYTES ? 1 : PARALLEL;
}

/** That pg_restore failed with several jobs, and what it said. */
export interface FailedWithJobs {
  readonly failedWithJobs: string;
}

export function hasFailedWithJobs(result: object): result is FailedWithJobs {
  return 'failedWithJobs' in result;
}

/**
 * Restores with as many jobs of pg_restore as pay, and where that fails, again with one. What fails with several proves nothing: pg_restore
 * does not know of every lock that its statements take, such as those on the indexes of partitions of partitions, and Postgres ends one of
 * two that wait for each other.
 *
 * @param attempt restores into a database of its own; with one job it always has a result
 */
export async function restoreInJobs<T extends object>(
  databaseBytes: number,
  attempt: (jobs: number) => Promise<T | FailedWithJobs>,
): Promise<T> {
  for (let jobs = jobsFor(databaseBytes); ; jobs = 1) {
    const result = await attempt(jobs);
    if (!hasFailedWithJobs(result)) return result;
    if (jobs === 1) throw new Error(`a restore with one job was said to have failed with several: ${result.failedWithJobs}`);
  }
}

/**
 * Runs SQL of ours in a database. A statement of it may take as long as the work that it belongs to, which `signal` ends: a materialized
 * view is filled, a table is copied.
 *
 * @returns `problem` is the server's error about the SQL
 * @throws when it could not run: a broken connection, or a server that stops, says nothing about the SQL
 */
export async function runSql(target: PostgresTarget, sql: string, signal: AbortSignal): Promise<{ readonly problem: string | undefined }> {
  if (sql.trim() === '') return { problem: undefined };
  await using session = await connectPostgres(target, { signal, settings: UNBOUNDED });
  try {
    await session.run(sql);
    return { problem: undefined };
  } catch (error) {
    const state = sqlStateOf(error);
    if (state === undefined || state.startsWith('08') || state.startsWith('57')) throw error;
    return { problem: error instanceof Error ? error.message : String(error) };
  }
}

/**
 * Runs the queries of the manifest in a restored database and compares the results. No code of the database is executed.
 *
 * @param how in a `live` server, what would run functions of the database's owner is not read; `arbiter` decides about definitions that differ; called only when there are any
 */
export async function compareRestored(
  target: PostgresTarget,
  manifest: Manifest,
  { server, arbiter }: { readonly server: 'live' | 'disposable'; readonly arbiter: Arbiter },
  onProgress: (progress: Progress) => void,
  signal: AbortSignal,
): Promise<Comparison> {
  const measured = await measureRestored({
    target,
    manifest,
    server,
    parallel: PARALLEL,
    onProgress: ({ bytesDone, bytesTotal }) =>
      onProgress({ phase: 'compare', message: 'Comparing with what was dumped', done: bytesDone, total: bytesTotal, unit: 'bytes' }),
    signal,
  });
  const found = excuseUnfilledViews(manifest, measured);
  const changed = changedDefinitions(manifest, found);
  return compareManifests(manifest, found, changed.length === 0 ? undefined : await arbiter(changed));
}
