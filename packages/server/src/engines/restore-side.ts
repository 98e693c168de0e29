import { FluxError } from '@flux/contract/errors';
import type { PostgresTarget } from '../postgres/target.ts';

/** What is going to be restored, as far as the place for it must be made to fit. */
export interface SideSpec {
  readonly kind: 'project_db' | 'tenant_export';
  /**
   * `fresh`: the project was made a moment ago, nobody knows it yet, and whatever fails removes it whole. `beside`: it is in
   * use, and must not notice anything before `swapIn`.
   */
  readonly place: 'fresh' | 'beside';
  /** The role that everything belonged to where the backup was made; grants and policies name it. Null keeps the project's own. */
  readonly ownerName: string | null;
  /** The schema that the archive holds; null for a whole database. */
  readonly schema: string | null;
  readonly encoding: string;
  readonly collate: string;
  readonly ctype: string;
  /** `prerequisitesBefore` of the manifest. */
  readonly prerequisites: string;
  /** Extensions that the manifest names, with their schemas. */
  readonly extensions: readonly { readonly name: string; readonly schema: string }[];
}

/** One entry of an archive's table of contents. */
export interface SideEntry {
  readonly kind: string;
  readonly tag: string;
}

/** An empty place beside the live data of a project, to restore into. Nothing of the live data changes before `swapIn`. */
export interface RestoreSide {
  /** Where pg_restore connects. Never a superuser: a dump runs its owner's code with the rights of whoever restores it. */
  readonly target: PostgresTarget;
  /** Where what came back is looked at. */
  readonly inspector: PostgresTarget;
  readonly major: number;
  /**
   * The schema that an archive of one schema must hold to fit here; null when any fits. When it is another one than the
   * archive's, the caller has to make an archive that fits.
   */
  readonly schema: string | null;
  /** Entries that are made here already, or that the role may not make. */
  omits(entry: SideEntry): boolean;
  /** Puts back owners, grants, default privileges and ledger, after pg_restore. */
  complete(prerequisitesAfter: string): Promise<void>;
  /** Makes it the live data in one moment: everybody finds either the old or the new. Sessions of the project end. */
  swapIn(previous: 'keep' | 'drop'): Promise<SwapOutcome>;
  /** Removes it. Nothing happens after `swapIn`. */
  discard(): Promise<void>;
}

/** How a swap went. */
export interface SwapOutcome {
  /** Name that what was live is kept under; null when it was dropped. */
  readonly keptAs: string | null;
  /** For how long nobody could reach the project, in milliseconds. */
  readonly outageMs: number;
}

/** What a restore in place has replaced. */
export interface KeptData {
  readonly name: string;
  /** When it was replaced, to the second. */
  readonly replacedAt: Date;
  readonly sizeBytes: number;
  /** False when its removal was cut short: nothing can be done with it but to remove it. */
  readonly isWhole: boolean;
}

/**
 * Name for what is replaced now: 14 digits, UTC, to the second, which sort by time and are short enough for a name in
 * Postgres. Two swaps within one second must not ask for one name, so it is always later than the newest that is kept.
 *
 * @param kept names of what is kept, newest first
 */
export function keptNameFor(stem: string, kept: readonly string[], now: Date): string {
  const digits = (time: Date) =>
    time
      .toISOString()
      .replaceAll(/[^0-9]/g, '')
      .slice(0, 14);
  const newest = kept[0];
  if (newest === undefined || digits(now) > newest.slice(-14)) return `${stem}_before_${digits(now)}`;
  return `${stem}_before_${digits(new Date(replacedAtOf(newest).getTime() + 1000))}`;
}

/** The moment that a name of `keptNameFor` tells. */
export function replacedAtOf(name: string): Date {
  const [, year, month, day, hour, minute, second] = /(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)$/.exec(name) ?? [];
  return new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}

/** What is said when there is nothing to swap back. */
export function nothingKept(slug: string): FluxError {
  return new FluxError('not_found', `Nothing that a restore in place of ${slug} has replaced is kept.`, {
    hint: 'See `flux backup list`: the backup that was taken before the restore can be restored in place.',
  });
}
