import { FluxError } from '@flux/contract/errors';
import type { Task } from '../../operations/define.ts';
import { withinTime } from '../../operations/time-limit.ts';
import { limitsFor, type SandboxLimits } from '../disposable-request.ts';

/** How long restores may take. */
export interface RestoreTimes {
  /** Time for the smallest backup, in milliseconds. */
  readonly minMs: number;
  /** Time that no size exceeds, in milliseconds. */
  readonly maxMs: number;
}

/** Time for each MiB of the database: a live server writes everything to disk, and others use it too. */
const MS_PER_MIB = 3000;

/** How long the restore of a database of this size may take, in milliseconds; a verification that is a part of it included. */
export function restoreLimitMs({ minMs, maxMs }: RestoreTimes, limits: SandboxLimits, databaseBytes: number): number {
  const verifying = limitsFor(limits, databaseBytes, undefined).wallClockMs;
  return Math.min(maxMs, Math.round(minMs + (databaseBytes / 2 ** 20) * MS_PER_MIB + verifying));
}

/** Runs a restore within its time: its data may contain a view that never comes to an end, and others wait for its slot. */
export async function withinRestoreTime<T>(
  task: Task,
  limitMs: number,
  { what, databaseBytes }: { readonly what: string; readonly databaseBytes: number },
  work: (task: Task) => Promise<T>,
): Promise<T> {
  const mebibytes = Math.max(1, Math.ceil(databaseBytes / 2 ** 20));
  const explain = (cause: unknown) =>
    new FluxError(
      'postgres_failed',
      `${what} has not ended within ${inWords(limitMs)}, the limit for its ${mebibytes} MiB, and was rolled back. Nothing was changed.`,
      {
        hint: 'Look for what takes so long: a materialized view or an index whose function does not end, a server that is overloaded. An operator can allow more with FLUX_RESTORE_TIMEOUT_MIN and FLUX_RESTORE_TIMEOUT; then run the command again.',
        cause,
      },
    );
  return await withinTime(task, limitMs, explain, work);
}

/** A duration for people. */
export function inWords(ms: number): string {
  if (ms < 120_000) return `${Math.round(ms / 1000)} s`;
  if (ms < 7_200_000) return `${Math.round(ms / 60_000)} minutes`;
  return `${(ms / 3_600_000).toFixed(1)} h`;
}
