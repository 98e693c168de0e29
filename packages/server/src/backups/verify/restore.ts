import type { DisposableInstance } from '../../disposable/provider.ts';
import type { Task } from '../../operations/define.ts';
import { databaseStatements } from '../../postgres/manifest/prerequisites/database-itself.ts';
import { renderAfter, renderBefore } from '../../postgres/manifest/prerequisites/render.ts';
import type { Manifest } from '../../postgres/manifest.ts';
import { interpretRestore, onlyViewsFailed } from '../../postgres/restore.ts';
import { compareRestored, type FailedWithJobs, restoreArgumentsFor, runSql } from '../../postgres/restored-database.ts';
import { quoteIdentifier } from '../../postgres/sql/quote.ts';
import { warningsOf } from '../../postgres/tool-warnings.ts';
import { judgeDefinitions } from '../judge-definitions.ts';
import { cureFor } from './cure.ts';
import { adviseOnMinor, isOlderMinor } from './minor.ts';
import type { Stopwatch } from './stopwatch.ts';
import { judgeComparison, type Verdict } from './verdict.ts';

/** What is restored, and with how many jobs of pg_restore. */
export interface Restoring {
  readonly path: string;
  readonly manifest: Manifest;
  readonly jobs: number;
}

/**
 * Restores an artifact into a disposable instance and judges the result. Problems of the instance itself (a limit that was reached, a
 * crash) are checked before any of its answers counts.
 */
export async function restoreAndCompare(
  instance: DisposableInstance,
  archive: Restoring,
  task: Task,
  watch: Stopwatch,
): Promise<Verdict | FailedWithJobs> {
  const { manifest } = archive;
  const signal = AbortSignal.any([task.signal, instance.gone]);
  const trouble = () => describeTrouble(instance);

  task.progress({ phase: 'prepare', message: 'Creating the roles and extensions of the source' });
  const before = await watch
    .time('prepare', () => runSql(instance.superuser, renderBefore(manifest.prerequisites), signal))
    .catch(asProblem);
  if (before.problem !== undefined) {
    return {
      verdict: 'inconclusive',
      summary: trouble() ?? `Roles, extensions or types of the source could not be created: ${before.problem}`,
    };
  }

  task.progress({ phase: 'restore', message: 'Restoring with pg_restore' });
  const ended = await watch.time('restore', () => instance.pgRestore(restoreArgumentsFor(manifest, archive.jobs)));
  const outcome = interpretRestore(ended);
  // A view that could not be filled is judged by the comparison.
  const unfilled = onlyViewsFailed(ended) && outcome.kind !== 'success' ? outcome : undefined;
  const end = unfilled === undefined ? outcome : ({ kind: 'success', warnings: [] } as const);
  const stopped = trouble();
  if (stopped !== undefined)
    return { verdict: 'inconclusive', summary: stopped, ...(end.kind === 'success' ? {} : { toolOutput: end.output }) };
  if (end.kind === 'unknown') return { verdict: 'inconclusive', summary: end.message, toolOutput: end.output };
  if (end.kind === 'failed' && archive.jobs > 1) return { failedWithJobs: end.message };
  if (end.kind === 'failed' && isOlderMinor(instance.postgresVersion, manifest.server.version))
    return {
      verdict: 'inconclusive',
      summary: `${end.message}. ${adviseOnMinor(instance.postgresVersion, manifest.server)}`,
      toolOutput: end.output,
    };
  if (end.kind === 'failed')
    return { verdict: 'failed', summary: `${end.message}${cureFor(end.message, manifest)}`, toolOutput: end.output };

  let after: { readonly problem: string | undefined };
  try {
    after = await watch.time('complete', () => runSql(instance.superuser, renderAfter(manifest.prerequisites, manifest.schema), signal));
    // One that is refused is named by the comparison.
    for (const { sql } of databaseStatements(manifest.objects, quoteIdentifier(instance.superuser.database)))
      await runSql(instance.superuser, sql, signal);
  } catch (error) {
    return { verdict: 'inconclusive', summary: trouble() ?? asProblem(error).problem };
  }
  if (after.problem !== undefined) {
    const why = trouble();
    return why === undefined
      ? { verdict: 'failed', summary: `Owners and grants could not be restored: ${after.problem}` }
      : { verdict: 'inconclusive', summary: why };
  }

  task.progress({ phase: 'compare', message: 'Comparing with what was dumped' });
  try {
    const comparison = await watch.time('compare', () =>
      compareRestored(
        instance.superuser,
        manifest,
        { server: 'disposable', arbiter: (changed) => judgeDefinitions(instance, archive, changed, signal) },
        task.progress,
        signal,
      ),
    );
    // A server that restarted after a crash answers, but its answers are wrong.
    const late = trouble();
    if (late !== undefined) return { verdict: 'inconclusive', summary: late };
    const verdict = withUnfilled(withWarnings(judgeComparison(comparison, manifest), end.warnings), unfilled, manifest);
    return verdict.verdict === 'failed' && unfilled !== undefined && archive.jobs > 1 ? { failedWithJobs: unfilled.message } : verdict;
  } catch (error) {
    const why = trouble();
    if (why === undefined) throw error;
    return { verdict: 'inconclusive', summary: why };
  }
}

/** What pg_restore said although it succeeded stays in the proof. */
function withWarnings(verdict: Verdict, lines: readonly string[]): Verdict {
  const warnings = warningsOf(lines);
  return warnings.length === 0 ? verdict : { ...verdict, toolOutput: warnings.slice(-MAX_WARNINGS).join('\n') };
}

const MAX_WARNINGS = 40;

/** Why a materialized view could not be filled stays in the proof; when that is what failed, with the cure. */
function withUnfilled(
  verdict: Verdict,
  unfilled: { readonly message: string; readonly output: string } | undefined,
  manifest: Manifest,
): Verdict {
  if (unfilled === undefined) return verdict;
  const toolOutput = [verdict.toolOutput, unfilled.output].filter((part) => part !== undefined).join('\n');
  if (verdict.verdict !== 'failed') return { ...verdict, toolOutput };
  const summary = `${verdict.summary} A materialized view could not be filled: ${unfilled.message}.${cureFor(unfilled.message, manifest)}`;
  return { ...verdict, summary, toolOutput };
}

function describeTrouble(instance: DisposableInstance): string | undefined {
  const exceeded = instance.exceeded();
  if (exceeded !== undefined) return `The restore was stopped: ${exceeded.message}`;
  if (instance.crashed()) return 'The disposable Postgres ended unexpectedly during the restore.';
  return undefined;
}

function asProblem(error: unknown): { readonly problem: string } {
  return { problem: error instanceof Error ? error.message : String(error) };
}
