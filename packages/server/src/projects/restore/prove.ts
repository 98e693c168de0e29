import { FluxError } from '@flux/contract/errors';
import { IMPORTED_NOTE } from '@flux/contract/labels';
import type { VerificationSandbox } from '../../backups/disposable-request.ts';
import { arbiterInSandbox, type JudgedArchive } from '../../backups/restore/arbiter.ts';
import type { RestoreRights } from '../../engines/staging.ts';
import type { Task } from '../../operations/define.ts';
import type { Manifest } from '../../postgres/manifest.ts';
import { type Comparison, compareRestored } from '../../postgres/restored-database.ts';
import { unquoteIdentifier } from '../../postgres/sql/quote.ts';
import type { PostgresTarget } from '../../postgres/target.ts';
import { superuserOnly } from './superuser-only.ts';

/** What was restored, and what it is compared with. */
export interface Restored {
  /** The session that compares connects here. */
  readonly inspector: PostgresTarget;
  /** As it was loaded: under other names than `original` when it came through a relay. */
  readonly archive: JudgedArchive;
  readonly original: Manifest;
  /** The role that owned the backup's objects, null when it is not known; `ignored` where owners are not restored. */
  readonly owners: 'ignored' | { readonly were: string | null };
  /** The error of a pg_restore that went on after it: the reason of what is missing now. */
  readonly problem?: FluxError | undefined;
  /** `accepted`: what failed is an answer, not an error. */
  readonly unproven?: 'accepted' | 'refused' | undefined;
  /** Those that pg_restore had; the owner's unless it says so. */
  readonly rights?: RestoreRights | undefined;
}

/** What a comparison found, for the answer of a restore. */
export interface Compared {
  readonly tablesCompared: number;
  readonly rowsCompared: number;
  /** What was not compared or is not brought back. */
  readonly exceptions: Difference[];
  /** What failed, when that was accepted. */
  readonly lost?: Difference[];
  /** Differences that are no failure, in sentences. */
  readonly notes: string[];
}

/**
 * Compares restored data with the manifest of its archive.
 *
 * @throws FluxError `verification_failed` when it is not what was dumped; `verification_inconclusive`
 */
export async function proveRestored(sandbox: VerificationSandbox, restored: Restored, task: Task): Promise<Compared> {
  const { inspector, archive } = restored;
  const comparison = await compareRestored(
    inspector,
    archive.manifest,
    { server: 'live', arbiter: arbiterInSandbox(sandbox, archive, task) },
    task.progress,
    task.signal,
  );
  const { tablesCompared, rowsCompared } = comparison;
  const excused = superuserOnly(restored.owners === 'ignored' ? [] : comparison.differences, restored.rights ?? 'owner');
  const failures = failuresOf(comparison, restored, excused.is);
  const isAccepted = restored.unproven === 'accepted';
  if (!isAccepted) refuseFailures(failures, restored);
  const exceptions = comparison.differences.filter(({ judgement }) => judgement !== 'failure');
  return {
    tablesCompared,
    rowsCompared,
    exceptions,
    ...(isAccepted ? { lost: failures } : {}),
    notes: [
      ...(restored.original.madeFrom === 'archive' ? [IMPORTED_NOTE] : []),
      ...excused.notes,
      ...otherOwners(comparison, restored),
      ...namedSchema(restored),
    ],
  };
}

type Difference = Comparison['differences'][number];

/** What belonged to other roles belongs to the owner of the project now. */
function isOtherOwner({ kind, expected }: Difference, { owners }: Restored): boolean {
  if (kind !== 'owner' || expected === null) return false;
  return owners === 'ignored' || owners.were === null || unquoteIdentifier(expected) !== owners.were;
}

function failuresOf({ differences }: Comparison, restored: Restored, isExcused: (found: Difference) => boolean): Difference[] {
  return differences.filter((found) => found.judgement === 'failure' && !isOtherOwner(found, restored) && !isExcused(found));
}

function refuseFailures(failures: readonly Difference[], restored: Restored): void {
  if (failures.length === 0) return;
  const details = { differences: failures.slice(0, 50) };
  const { problem } = restored;
  if (problem !== undefined)
    throw new FluxError(problem.code, problem.message, { hint: problem.hint, details: { ...problem.details, ...details } });
  const named = failures.slice(0, 3).map(({ kind, name, change }) => `${kind} ${name} is ${change}`);
  const more = failures.length > named.length ? `; and ${failures.length - named.length} more` : '';
  throw new FluxError('verification_failed', `What came back is not what was dumped: ${named.join('; ')}${more}. Nothing was changed.`, {
    hint: 'See `flux backup verify`.',
    details,
  });
}

function otherOwners({ differences }: Comparison, restored: Restored): string[] {
  const { length } = differences.filter((found) => isOtherOwner(found, restored));
  return length === 0 || restored.owners === 'ignored'
    ? []
    : [`${length} objects belonged to another role; they belong to the owner of the project now.`];
}

function namedSchema({ archive: { manifest }, original: { schema } }: Restored): string[] {
  if (schema === null || manifest.schema === schema) return [];
  const naming = manifest.objects.filter(({ kind, definition }) => kind === 'function' && definition.includes(schema));
  if (naming.length === 0) return [];
  const names = naming.map(({ name }) => name).join(', ');
  return [`The text of these functions names the schema ${schema}, which they will not find: ${names}.`];
}
