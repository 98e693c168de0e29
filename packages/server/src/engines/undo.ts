import { FluxError } from '@flux/contract/errors';
import type { EngineProject } from './engine.ts';

/** The result of a swap. */
export interface SwapOutcome {
  /** Name under which the replaced data is retained for an undo; null when it was dropped. */
  readonly undoName: string | null;
  /** How long the project was unreachable, in milliseconds. */
  readonly outageMs: number;
}

/** Data that a restore in place or a reset has replaced. */
export interface UndoData {
  readonly name: string;
  /** When it was replaced, to the second. */
  readonly replacedAt: Date;
  readonly sizeBytes: number;
  /** False when its removal was interrupted: it cannot be swapped back, only removed. */
  readonly isWhole: boolean;
}

/** Replaced data, retained under other names in the same server. */
export interface UndoSupport {
  /** Newest first. @throws FluxError `instance_stopped`, `instance_unavailable` */
  list(project: EngineProject, signal?: AbortSignal): Promise<readonly UndoData[]>;
  /** Makes the newest of them live again and retains the data that is live now. @throws FluxError `not_found` when there is none; as `Staging.swapIn` */
  swapBack(project: EngineProject, signal?: AbortSignal): Promise<SwapOutcome>;
  /** Removes the named ones. Names that are not undo data of this project are ignored. */
  drop(project: EngineProject, names: readonly string[], signal?: AbortSignal): Promise<void>;
}

/** How many digits of its name tell when undo data was replaced. */
const DIGITS = 14;

/**
 * Name for the data that is replaced now: 14 digits, UTC, to the second, which sort by time and are short enough for a name in
 * Postgres. Two swaps within one second must not get the same name, so it is always later than the newest existing one.
 *
 * @param existing names of the undo data, newest first
 */
export function undoNameFor(stem: string, existing: readonly string[], now: Date): string {
  const digits = (time: Date) =>
    time
      .toISOString()
      .replaceAll(/[^0-9]/g, '')
      .slice(0, DIGITS);
  const newest = existing[0];
  if (newest === undefined || digits(now) > newest.slice(-DIGITS)) return `${stem}_before_${digits(now)}`;
  return `${stem}_before_${digits(new Date(replacedAtOf(newest).getTime() + 1000))}`;
}

/** The time in a name of `undoNameFor`. */
export function replacedAtOf(name: string): Date {
  const digits = name.slice(-DIGITS);
  const part = (start: number, end: number) => digits.slice(start, end);
  return new Date(`${part(0, 4)}-${part(4, 6)}-${part(6, 8)}T${part(8, 10)}:${part(10, 12)}:${part(12, 14)}Z`);
}

/** The error for an undo without undo data. */
export function nothingToUndo(slug: string): FluxError {
  return new FluxError('not_found', `There is nothing to undo for ${slug}.`, {
    hint: 'See `flux backup list`: the safety backup that was created before the restore can be restored in place.',
  });
}
