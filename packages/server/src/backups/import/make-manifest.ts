import { FluxError, isFluxError } from '@flux/contract/errors';
import type { DisposableInstance, DisposableRequest } from '../../disposable/provider.ts';
import type { Task } from '../../operations/define.ts';
import type { ArchiveToc } from '../../postgres/archive/toc.ts';
import type { RolePrerequisite } from '../../postgres/manifest/prerequisites/data.ts';
import { NO_PREREQUISITES } from '../../postgres/manifest/prerequisites/data.ts';
import { renderBefore } from '../../postgres/manifest/prerequisites/render.ts';
import { recordManifest } from '../../postgres/manifest/record.ts';
import type { Manifest } from '../../postgres/manifest.ts';
import { interpretRestore, type RestoreOutcome, restoreArguments } from '../../postgres/restore.ts';
import { jobsFor, runSql } from '../../postgres/restored-database.ts';
import { openSnapshot } from '../../postgres/snapshot.ts';
import type { PostgresToolbox } from '../../postgres/target.ts';
import { limitsFor, type VerificationSandbox } from '../disposable-request.ts';
import { describeLeftOutOfImport, extensionsIn, localeIn, rolesIn } from './needs.ts';

/** What restoring an archive for the first time uses. */
export interface MakeManifestDeps {
  readonly sandbox: VerificationSandbox;
  readonly toolbox: PostgresToolbox;
}

/** An archive that was read to its end. */
export interface ReadArchive {
  readonly toc: ArchiveToc;
  readonly path: string;
  readonly sizeBytes: number;
}

/** A compressed archive restores to about so many times its size; it decides between memory and disk only. */
const EXPANSION = 8;
/** Each attempt finds one more role that the archive names; most archives need one or two. */
const MAX_ATTEMPTS = 30;

/**
 * Restores an archive that nothing is known about in a sandbox, and records what it restored to.
 *
 * @throws FluxError `artifact_invalid` when it does not restore; `postgres_missing`, `verification_inconclusive`, `sandbox_unavailable`
 */
export async function makeManifest({ sandbox, toolbox }: MakeManifestDeps, archive: ReadArchive, task: Task): Promise<Manifest> {
  const { toc, path, sizeBytes } = archive;
  const request: DisposableRequest = {
    major: chooseMajor(toolbox, toc),
    expectedBytes: sizeBytes * EXPANSION,
    limits: limitsFor(sandbox.limits, sizeBytes * EXPANSION, undefined),
    locale: localeIn(toc),
    extensions: extensionsIn(toc),
    needs: undefined,
    archivePath: path,
    signal: task.signal,
  };
  let roles = rolesIn(toc);
  let jobs = jobsFor(sizeBytes * EXPANSION);
  for (let attempt = 1; ; attempt++) {
    task.progress({ phase: 'prepare', message: 'Starting a disposable Postgres' });
    await using instance = await sandbox.disposables.open(request).catch(lacking);
    const failure = await restore(instance, { roles, jobs }, task);
    if (failure === undefined) return await record(instance, toc, task);
    const more = attempt < MAX_ATTEMPTS ? rolesAfter(failure.message, roles) : undefined;
    if (more !== undefined) roles = more;
    // What fails with several jobs proves nothing, see `restoreInJobs`.
    else if (jobs > 1) jobs = 1;
    else throw doesNotRestore(failure.message, failure.output);
  }
}

/** What the host lacks is said as for a verification; the next command is another one. */
function lacking(error: unknown): never {
  if (!isFluxError(error) || error.hint === undefined) throw error;
  const hint = error.hint.replace('Then verify again.', 'Then import the file again.');
  throw new FluxError(error.code, error.message, { hint, details: error.details, cause: error });
}

type Failure = Extract<RestoreOutcome, { readonly kind: 'failed' }>;

/**
 * The roles to try next, since an archive tells neither which roles policies name nor which ones were superusers: one that owns a
 * materialized view may read whatever is in it. Undefined when roles are not the reason.
 */
function rolesAfter(message: string, roles: readonly RolePrerequisite[]): readonly RolePrerequisite[] | undefined {
  const missing = /role "(.+)" does not exist/.exec(message)?.[1];
  if (missing !== undefined && !roles.some(({ name }) => name === missing))
    return [...roles, { name: missing, superuser: false, inherits: true, bypassesRls: false }];
  if (!/permission denied|must be (?:a )?(?:superuser|owner|member)|must have/i.test(message)) return undefined;
  return roles.every(({ superuser }) => superuser) ? undefined : roles.map((role) => ({ ...role, superuser: true }));
}

/** The server is of the major of pg_dump, which writes what its own major reads; where that is not installed, of the next one. */
function chooseMajor(toolbox: PostgresToolbox, { header }: ArchiveToc): number {
  const wanted = Number.parseInt(header.dumpVersion, 10);
  if (!Number.isInteger(wanted)) throw doesNotRestore(`its header names no version of pg_dump: ${JSON.stringify(header.dumpVersion)}`);
  return toolbox.majors().find((major) => major >= wanted) ?? wanted;
}

/** @returns why pg_restore failed; undefined when everything was restored */
async function restore(
  instance: DisposableInstance,
  { roles, jobs }: { readonly roles: readonly RolePrerequisite[]; readonly jobs: number },
  task: Task,
): Promise<Failure | undefined> {
  const signal = AbortSignal.any([task.signal, instance.gone]);
  const { problem } = await runSql(instance.superuser, renderBefore({ ...NO_PREREQUISITES, roles }), signal);
  if (problem !== undefined) throw doesNotRestore(`the roles that it names cannot be created: ${problem}`);
  task.progress({ phase: 'restore', message: 'Restoring with pg_restore' });
  const ended = await instance.pgRestore(restoreArguments({ kind: 'project_db', jobs }));
  requireHealthy(instance);
  const end = interpretRestore(ended);
  if (end.kind === 'success') return undefined;
  if (end.kind === 'unknown')
    throw new FluxError('verification_inconclusive', end.message, { hint: AGAIN, details: { output: end.output } });
  return end;
}

async function record(instance: DisposableInstance, toc: ArchiveToc, task: Task): Promise<Manifest> {
  const signal = AbortSignal.any([task.signal, instance.gone]);
  task.progress({ phase: 'record', message: 'Recording what it holds' });
  await using snapshot = await openSnapshot(instance.superuser, { signal });
  const manifest = await recordManifest({
    snapshot,
    source: { kind: 'project_db', internalRoles: [] },
    parallel: 2,
    onProgress: ({ bytesDone, bytesTotal }) =>
      task.progress({ phase: 'record', message: 'Recording what it holds', done: bytesDone, total: bytesTotal, unit: 'bytes' }),
    signal,
  });
  // A server that restarted after a crash answers, but its answers are wrong.
  requireHealthy(instance);
  return { ...manifest, madeFrom: 'archive', leftOut: [...manifest.leftOut, ...describeLeftOutOfImport(toc)] };
}

const AGAIN = 'Import the file again; if it happens again, look at the limits of verifications (FLUX_VERIFY_*).';

function requireHealthy(instance: DisposableInstance): void {
  const exceeded = instance.exceeded();
  if (exceeded !== undefined)
    throw new FluxError('verification_inconclusive', `The archive was not restored: ${exceeded.message}`, { hint: AGAIN });
  if (instance.crashed())
    throw new FluxError('verification_inconclusive', 'The disposable Postgres ended unexpectedly during the restore.', { hint: AGAIN });
}

function doesNotRestore(why: string, output?: string): FluxError {
  return new FluxError('artifact_invalid', `The archive does not restore, so it is no backup: ${why}`, {
    hint: 'Correct what the error names where the archive was made, and dump it again. `pg_restore --list <file>` shows what is in it.',
    ...(output === undefined ? {} : { details: { output } }),
  });
}
