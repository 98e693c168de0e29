import { FluxError } from '@flux/contract/errors';
import type { Task } from '../../operations/define.ts';
import { openDumpSession } from '../../postgres/dump-session.ts';
import type { Manifest } from '../../postgres/manifest.ts';
import type { PostgresPrograms } from '../../postgres/programs.ts';
import { type FailedWithJobs, hasFailedWithJobs, restoreInJobs, runSql } from '../../postgres/restored-database.ts';
import { disposableRequest, type VerificationSandbox } from '../disposable-request.ts';
import { restoreAndCompare } from '../verify/restore.ts';
import { startStopwatch } from '../verify/stopwatch.ts';
import type { LocalArchive } from './load.ts';
import type { OpenedBackup } from './open.ts';

/** What converting an archive uses. */
export interface RelayDeps {
  readonly sandbox: VerificationSandbox;
  readonly programs: PostgresPrograms;
}

/** How one schema of a restored archive is converted to a new archive. */
export interface RelayRequest {
  /** Run as the superuser of the sandbox, after the archive was restored there and compared. */
  readonly sql: string;
  /** What is dumped again. */
  readonly schema: string;
  /** Roles of Flux at the destination; their grants are not part of the user's data. */
  readonly internalRoles: readonly string[];
  /** What the SQL does, for people. */
  readonly doing: string;
}

/** An archive that was dumped anew from another one, with its manifest; disposing of it removes the file. */
export interface RelayedArchive extends LocalArchive, AsyncDisposable {
  readonly manifest: Manifest;
}

/**
 * Converts an archive: restores it into a disposable instance, where it is compared with its manifest as in any verification, lets
 * Postgres change it there, and dumps it again. Flux does not rewrite SQL text of the archive, and the SQL of its author runs only in
 * the sandbox.
 *
 * @throws FluxError `verification_failed`, `verification_inconclusive`, `sandbox_unavailable`, `postgres_failed`
 */
export async function relayArchive(deps: RelayDeps, source: OpenedBackup, request: RelayRequest, task: Task): Promise<RelayedArchive> {
  return await restoreInJobs(source.manifest.server.databaseBytes, (jobs) => relayWith(jobs, deps, source, request, task));
}

async function relayWith(
  jobs: number,
  deps: RelayDeps,
  source: OpenedBackup,
  request: RelayRequest,
  task: Task,
): Promise<RelayedArchive | FailedWithJobs> {
  const { manifest, path, row } = source;
  await using instance = await deps.sandbox.disposables.open(disposableRequest(deps.sandbox.limits, manifest, path, task.signal));
  const verdict = await restoreAndCompare(instance, { path, manifest, jobs }, task, startStopwatch());
  await source.requireUnmodified();
  if (hasFailedWithJobs(verdict)) return verdict;
  if (verdict.verdict !== 'restorable')
    throw new FluxError(
      verdict.verdict === 'failed' ? 'verification_failed' : 'verification_inconclusive',
      `Backup ${row.id} was not restored: ${verdict.summary} Nothing was changed.`,
      { hint: `See the details with \`flux backup verify --id ${row.id}\`.` },
    );
  task.progress({ phase: 'relay', message: request.doing });
  const changed = await runSql(instance.superuser, request.sql, task.signal);
  if (changed.problem !== undefined)
    throw new FluxError('postgres_failed', `The schema could not be changed in the sandbox: ${changed.problem}`, {
      hint: 'Nothing was changed.',
    });

  const { schema, internalRoles } = request;
  await using session = await openDumpSession(
    deps.programs,
    { kind: 'tenant_export', target: instance.superuser, major: manifest.server.major, schema, internalRoles },
    task.signal,
  );
  const file = await deps.sandbox.workspace.create(task.signal);
  try {
    const recorded = await session.recordManifest(task.progress);
    let written = { sha256: '', sizeBytes: 0 };
    const { statements } = await session.dump(async (bytes) => {
      written = await file.write(bytes, task.signal);
    });
    const relayed = await session.completeManifest(recorded);
    return { path: file.path, ...written, manifest: { ...relayed, statements }, [Symbol.asyncDispose]: () => file[Symbol.asyncDispose]() };
  } catch (error) {
    await file[Symbol.asyncDispose]();
    throw error;
  }
}
