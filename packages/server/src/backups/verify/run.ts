import { MAX_VERIFY_MS, type VerificationProof } from '@flux/contract/backup';
import { displaySafe } from '@flux/contract/display';
import { FluxError, isFluxError } from '@flux/contract/errors';
import type { BackupId, VerificationId } from '@flux/contract/ids';
import type { LocalBlob } from '../../blobs/workspace.ts';
import { type BackupRow, findBackupById } from '../../catalog/backups.ts';
import type { Task } from '../../operations/define.ts';
import type { Manifest } from '../../postgres/manifest.ts';
import { type FailedWithJobs, hasFailedWithJobs, restoreInJobs } from '../../postgres/restored-database.ts';
import type { Log } from '../../system/log.ts';
import { uuidv7 } from '../../system/uuid.ts';
import { disposableRequest, type VerificationSandbox } from '../disposable-request.ts';
import { type BytesRead, lendArtifact, type ReadingDeps, readLentArtifact } from '../reading.ts';
import type { ReceiptSigning } from '../receipt/record.ts';
import { readAgreedManifest } from '../records.ts';
import { recordVerification } from './record.ts';
import { restoreAndCompare } from './restore.ts';
import { type Stopwatch, startStopwatch } from './stopwatch.ts';
import type { Verdict } from './verdict.ts';

/** What a verification uses. */
export interface VerifyDeps extends ReadingDeps {
  readonly log: Log;
  readonly sandbox: VerificationSandbox;
  readonly signing: ReceiptSigning;
}

/**
 * Verifies a backup by restoring it, and records the verdict. Every verdict is an answer; an error means that nothing could be
 * recorded.
 *
 * @param timeLimitMs instead of what follows from the size
 */
export async function verifyBackup(
  deps: VerifyDeps,
  backupId: BackupId,
  task: Task,
  timeLimitMs?: number,
): Promise<{ readonly proof: VerificationProof }> {
  const row = await findBackupById(deps.catalog.db, backupId);
  if (row === undefined) throw new FluxError('backup_not_found', 'The backup is no longer in the catalog.');
  const startedAt = deps.clock.now();
  const watch = startStopwatch();
  const seen: Evidence = {};
  try {
    const verdict = await reachVerdict(deps, row, task, watch, seen, timeLimitMs);
    return { proof: await recordVerdict(deps, row, task, watch, seen, verdict, startedAt) };
  } finally {
    // The verdict is recorded meanwhile; the operation ends when the instance has been removed.
    await seen.removal;
  }
}

async function recordVerdict(
  deps: VerifyDeps,
  row: BackupRow,
  task: Task,
  watch: Stopwatch,
  seen: Evidence,
  verdict: Verdict,
  startedAt: Date,
): Promise<VerificationProof> {
  // A cancelled or stopped verification has no verdict.
  task.signal.throwIfAborted();
  const verificationId = uuidv7(startedAt) as VerificationId;
  const proof: VerificationProof = {
    verificationId,
    backupId: row.id,
    verdict: verdict.verdict,
    ...(verdict.verdict === 'failed' ? { failedBy: seen.bytes?.damage === undefined ? ('source' as const) : ('file' as const) } : {}),
    summary: oneSafeLine(verdict.summary),
    postgresVersion: seen.postgresVersion ?? null,
    sandbox: seen.sandbox ?? null,
    artifactSha256: seen.bytes?.sha256 ?? null,
    bytesRead: seen.bytes?.sizeBytes ?? 0,
    ...comparedBy(verdict),
    toolOutput: 'toolOutput' in verdict ? (verdict.toolOutput ?? null) : null,
    durationMs: watch.total(),
    phasesMs: watch.phases(),
    receiptId: verificationId,
  };
  await recordVerification(deps, row, proof, startedAt, task);
  return proof;
}

/** Names and messages may come from the author of the dump: they must contain neither terminal control sequences nor line breaks. */
function oneSafeLine(text: string): string {
  const lines = text.split('\n').map((line) => line.trim());
  return displaySafe(lines.filter((line) => line !== '').join(' '));
}

/** The facts for the proof, however the verification ends. */
interface Evidence {
  bytes?: BytesRead;
  postgresVersion?: string;
  sandbox?: string;
  /** Resolves when the disposable instance has been removed. Never rejects: a folder that could not be removed is swept at the next start. */
  removal?: Promise<void>;
}

async function reachVerdict(
  deps: VerifyDeps,
  row: BackupRow,
  task: Task,
  watch: Stopwatch,
  seen: Evidence,
  timeLimitMs: number | undefined,
): Promise<Verdict> {
  try {
    await using lent = await lendArtifact(deps, row, 'a verification', task.signal);
    const manifest = await readAgreedManifest(deps, row, task.signal);
    const verdict = await restoreLent(deps, row, { manifest, lent, timeLimitMs }, task, watch, seen);
    // The hashed and the restored bytes are those of one file; only a write into that file can make them differ.
    if (seen.bytes !== undefined && (await lent.wasModified(seen.bytes.sha256, task.signal)))
      return { verdict: 'inconclusive', summary: 'The file of the backup was written to while it was verified.' };
    return verdict;
  } catch (error) {
    if (task.signal.aborted) throw error;
    if (isFluxError(error, 'artifact_gone')) throw error;
    deps.log.warn({ err: error, backup: row.id }, 'verification is inconclusive');
    const hint = isFluxError(error) && error.hint !== undefined ? ` ${error.hint}` : '';
    return { verdict: 'inconclusive', summary: `${error instanceof Error ? error.message : String(error)}${hint}` };
  }
}

/** An artifact on loan from the volume. */
interface Lent {
  readonly manifest: Manifest;
  readonly lent: LocalBlob;
  readonly timeLimitMs: number | undefined;
}

async function restoreLent(
  deps: VerifyDeps,
  row: BackupRow,
  archive: Lent,
  task: Task,
  watch: Stopwatch,
  seen: Evidence,
): Promise<Verdict> {
  return await restoreInJobs(archive.manifest.server.databaseBytes, async (jobs) => {
    const result = await restoreWith({ ...archive, jobs }, deps, row, task, watch, seen);
    if (hasFailedWithJobs(result)) deps.log.info({ backup: row.id, jobs, said: result.failedWithJobs }, 'restoring again with one job');
    return result;
  });
}

async function restoreWith(
  { manifest, lent, timeLimitMs, jobs }: Lent & { readonly jobs: number },
  deps: VerifyDeps,
  row: BackupRow,
  task: Task,
  watch: Stopwatch,
  seen: Evidence,
): Promise<Verdict | FailedWithJobs> {
  await seen.removal;
  const opening = new AbortController();
  const signal = AbortSignal.any([task.signal, opening.signal]);
  // The instance starts while the bytes are read; nothing is restored before they have matched.
  const request = disposableRequest(deps.sandbox.limits, manifest, lent.path, signal, timeLimitMs);
  const instance = watch.time('open', () => deps.sandbox.disposables.open(request));
  instance.catch(() => undefined);
  try {
    task.progress({ phase: 'read', message: 'Reading the artifact', total: row.size_bytes ?? 0, unit: 'bytes' });
    seen.bytes ??= await watch.time('read', () => readLentArtifact(deps, row, lent, 'a verification', task.signal));
    if (seen.bytes.damage !== undefined) return { verdict: 'failed', summary: seen.bytes.damage };
    const ready = await instance;
    seen.postgresVersion = ready.postgresVersion;
    seen.sandbox = ready.sandbox;
    const verdict = await restoreAndCompare(ready, { path: lent.path, manifest, jobs }, task, watch);
    return ready.exceeded()?.limit === 'time' && 'verdict' in verdict && verdict.verdict === 'inconclusive'
      ? { ...verdict, summary: `${verdict.summary}. ${adviseOnTime(row.id, request.limits.wallClockMs, manifest.server.databaseBytes)}` }
      : verdict;
  } finally {
    opening.abort(new Error('the verification has ended'));
    const opened = await instance.catch(() => undefined);
    if (opened !== undefined)
      seen.removal = Promise.resolve(opened[Symbol.asyncDispose]()).catch((error: unknown) => {
        deps.log.error({ err: error, backup: row.id }, 'a disposable Postgres was not removed');
      });
  }
}

/** What the limit follows from, and the command that raises it as far as it can be raised. */
export function adviseOnTime(id: BackupId, limitMs: number, databaseBytes: number): string {
  const mebibytes = Math.max(1, Math.ceil(databaseBytes / 2 ** 20));
  const said = `That is the limit for this verification of ${mebibytes} MiB, and says nothing against the backup: its label stays.`;
  if (limitMs >= MAX_VERIFY_MS)
    return (
      `${said} No single verification can be given more than ${MAX_VERIFY_MS / 3_600_000}h; FLUX_VERIFY_TIMEOUT_MIN and FLUX_VERIFY_TIMEOUT of the control plane can. ` +
      'Look first for what takes so long: a materialized view that is computed again, a disk that is too slow.'
    );
  const hours = Math.max(1, Math.ceil(Math.min(MAX_VERIFY_MS, 2 * limitMs) / 3_600_000));
  return (
    `${said} ` +
    `An admin can allow more: flux backup verify --id ${id} --time-limit ${hours}h, or for all FLUX_VERIFY_TIMEOUT_MIN and FLUX_VERIFY_TIMEOUT.`
  );
}

function comparedBy(verdict: Verdict): Pick<VerificationProof, 'tablesCompared' | 'rowsCompared' | 'objectsCompared' | 'differences'> {
  const comparison = 'comparison' in verdict ? verdict.comparison : undefined;
  return {
    tablesCompared: comparison?.tablesCompared ?? 0,
    rowsCompared: comparison?.rowsCompared ?? 0,
    objectsCompared: { ...comparison?.objectsCompared },
    differences: [...(comparison?.differences ?? [])],
  };
}
