import { FluxError } from '@flux/contract/errors';
import type { Task } from '../../operations/define.ts';
import type { Arbiter } from '../../postgres/manifest/changed-definitions.ts';
import { renderBefore } from '../../postgres/manifest/prerequisites/render.ts';
import { findEqualDefinitions } from '../../postgres/manifest/read-back.ts';
import { interpretRestore, onlyViewsFailed } from '../../postgres/restore.ts';
import { restoreArgumentsFor, runSql } from '../../postgres/restored-database.ts';
import { disposableRequest, type VerificationSandbox } from '../disposable-request.ts';
import type { OpenedBackup } from './open.ts';

/** The archive whose definitions are judged. One of our own making has nobody who could write into it. */
export type JudgedArchive = Pick<OpenedBackup, 'path' | 'manifest'> & Partial<Pick<OpenedBackup, 'requireUnmodified'>>;

/**
 * Decides whether two definitions in a live database are equivalent, by letting Postgres create them. That runs SQL of the dump's owner
 * as a superuser, so it happens only in a disposable instance, into which the archive's schema is restored without rows.
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
    const restored = await instance.pgRestore(['--schema-only', ...restoreArgumentsFor(manifest)]);
    await archive.requireUnmodified?.();
    // A view that reads another server stays empty; its definition is there.
    const outcome = onlyViewsFailed(restored) ? ({ kind: 'success' } as const) : interpretRestore(restored);
    const problem = before.problem ?? (outcome.kind === 'success' ? undefined : outcome.message);
    if (problem !== undefined)
      throw new FluxError('verification_inconclusive', `Definitions with different texts could not be compared: ${problem}`, {
        hint: 'See the details with `flux backup verify`.',
      });
    return await findEqualDefinitions(instance.superuser, changed, signal);
  };
}
