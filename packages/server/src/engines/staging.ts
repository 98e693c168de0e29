import type { Prerequisites } from '../postgres/manifest/prerequisites/data.ts';
import type { PostgresTarget } from '../postgres/target.ts';
import type { EngineProject } from './engine.ts';
import type { TableStaging } from './table-staging.ts';
import type { SwapOutcome } from './undo.ts';

/** Data that is about to be restored, as far as an empty place for it depends on it. */
export interface StagingSpec {
  readonly kind: 'project_db' | 'tenant_export';
  /**
   * `fresh`: the project was created a moment ago, nobody uses it yet, and any failure removes it whole. `beside`: it is in
   * use, and must not notice anything before `swapIn`.
   */
  readonly place: 'fresh' | 'beside';
  /** The role that owned everything where the backup was taken; grants and policies name it. Null keeps the project's own. */
  readonly ownerName: string | null;
  /** The schema that the archive holds; null for a whole database. */
  readonly schema: string | null;
  readonly encoding: string;
  readonly collate: string;
  readonly ctype: string;
  /** What the manifest records as needed around the archive. */
  readonly prerequisites: Prerequisites;
  /** Extensions that the manifest names, with their schemas. */
  readonly extensions: readonly { readonly name: string; readonly schema: string }[];
}

/** One entry of an archive's table of contents. */
export interface ArchiveEntry {
  readonly kind: string;
  readonly tag: string;
}

/** An empty database or schema beside the live data of a project, to restore into. The live data does not change before `swapIn`. */
export interface Staging {
  /** Where pg_restore connects. Never a superuser: a dump runs its owner's code with the rights of the role that restores it. */
  readonly target: PostgresTarget;
  /** The session that compares the restored data connects here. */
  readonly inspector: PostgresTarget;
  readonly major: number;
  /**
   * The schema that an archive of one schema must hold to be restored here; null when any will do. When the archive holds
   * another one, the caller has to rename it in the archive first.
   */
  readonly schema: string | null;
  /** Tells which entries exist here already, or may not be created by the role. */
  omits(entry: ArchiveEntry): boolean;
  /** Restores owners, grants, default privileges and ledger, after pg_restore. */
  complete(prerequisites: Prerequisites): Promise<void>;
  /** Makes it the live data in one moment: every session finds either the old or the new. Sessions of the project end. */
  swapIn(previous: 'keep' | 'drop', signal?: AbortSignal): Promise<SwapOutcome>;
  /** Removes it. Nothing happens after `swapIn`. */
  discard(): Promise<void>;
}

/** Creates places beside the live data of a project. @throws FluxError `instance_stopped`, `instance_unavailable` */
export interface StagingSupport {
  /** Creates an empty place to restore into. An earlier one that was left behind is removed first. */
  open(project: EngineProject, spec: StagingSpec, signal?: AbortSignal): Promise<Staging>;
  /** Creates a place that looks like a new project, ready to be swapped in. */
  openEmpty(project: EngineProject, signal?: AbortSignal): Promise<Staging>;
  /** Creates a schema beside the live one for single tables. */
  openTables(project: EngineProject, signal?: AbortSignal): Promise<TableStaging>;
}
