import { FluxError } from '@flux/contract/errors';
import type { Task } from '../../operations/define.ts';
import { type Arbiter, changedDefinitions, keyOf } from '../../postgres/manifest/changed-definitions.ts';
import { measureRestored } from '../../postgres/manifest/measure.ts';
import { renderBefore } from '../../postgres/manifest/prerequisites/render.ts';
import { interpretRestore, onlyViewsFailed } from '../../postgres/restore.ts';
import { restoreArgumentsFor, runSql } from '../../postgres/restored-database.ts';
import { disposableRequest, type VerificationSandbox } from '../disposable-request.ts';
import { judgeDefinitions } from '../judge-definitions.ts';
import type { OpenedBackup } from './open.ts';

/** The archive whose definitions are judged. One of our own making has nobody who could write into it. */
export type JudgedArchive = Pick<OpenedBackup, 'path' | 'manifest'> & Partial<Pick<OpenedBackup, 'requireUnmodified'>>;

/**
 * Asks Postgres about definitions that differ in a live database: see `judgeDefinitions`. That runs SQL of the dump's owner as a superuser,
 * so it happens only in a disposable instance, into which the archive's schema is restored without rows.
 *
 * @throws FluxError `verification_inconclusive` when that schema cannot be restored there; what `DisposableProvider.open` throws
 */
export function arbiterInSandbox({ disposables, limits }: VerificationSandbox, archive: JudgedArchive, task: Task): Arbiter {
  return async (changed) => {
    const { manifest, path } = archive;
    task.progress({ phase: 'compare', message: 'Comparing definitions with Postgres' });
    await using instance = await disposables.open(disposableRequest(limits, manifest, path, task.signal));
    const signal = AbortSignal.any([task.signal, instance.gone]);
    const before = await runSql(instance.superuser, renderBefore(manifest.prerequisites), signal);
    const restored = await instance.pgRestore(['--schema-only', ...restoreArgumentsFor(manifest, 1)]);
    await archive.requireUnmodified?.();
    // A view that reads another server stays empty; its definition is there.
    const outcome = onlyViewsFailed(restored) ? ({ kind: 'success' } as const) : interpretRestore(restored);
    const problem = before.problem ?? (outcome.kind === 'success' ? undefined : outcome.message);
    if (problem !== undefined)
      throw new FluxError('verification_inconclusive', `Definitions with different texts could not be compared: ${problem}`, {
        hint: 'See the details with `flux backup verify`.',
      });
    const judged = await judgeDefinitions(instance, archive, changed, signal);
    if (judged.undumped.size === 0) return judged;
    // pg_dump has dumped the disposable database: what it says is true of the live one where both have the same definition.
    const here = await measureRestored({ target: instance.superuser, manifest, server: 'disposable', parallel: 1, signal });
    const live = changed.map(({ kind, name, found }) => ({ kind, name, definition: found }));
    const others = new Set(changedDefinitions({ objects: live }, here).map(keyOf));
    const there = new Set(here.objects.map(keyOf));
    return { ...judged, undumped: new Map([...judged.undumped].filter(([key]) => there.has(key) && !others.has(key))) };
  };
}
