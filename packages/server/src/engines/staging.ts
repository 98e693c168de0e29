import type { ArchiveEntry } from '../postgres/archive/toc.ts';
import type { DatabaseLocale } from '../postgres/database-locale.ts';
import type { Prerequisites } from '../postgres/manifest/prerequisites/data.ts';
import type { SchemaObject } from '../postgres/manifest.ts';
import type { PostgresTarget } from '../postgres/target.ts';
import type { EngineProject } from './engine.ts';
import type { TableStaging } from './table-staging.ts';
import type { SwapOutcome } from './undo.ts';

/** Whose rights pg_restore has while it loads an archive. */
export type RestoreRights = 'owner' | 'superuser';

/** What the staging area needs to know about the data to restore. */
export interface StagingSpec {
  readonly kind: 'project_db' | 'tenant_export';
  /**
   * `fresh`: the project is new and unused, and any failure removes all of it. `beside`: it is in use, and must not be affected before
   * `swapIn`.
   */
  readonly place: 'fresh' | 'beside';
  /** The role that owned everything at the source; grants and policies name it. Null keeps the project's own. */
  readonly ownerName: string | null;
  /** The schema in the archive; null for a whole database. */
  readonly schema: string | null;
  /** Encoding and default collation of the source; null for the ones of the server. A schema has those of its database. */
  readonly locale: DatabaseLocale | null;
  /** lc_monetary of the dump, when there are amounts of money in the archive. */
  readonly moneyLocale: string | null;
  /** The prerequisites recorded in the manifest. */
  readonly prerequisites: Prerequisites;
  /** The objects of the source, and the roles of Flux whose grants are not among them. */
  readonly objects: readonly SchemaObject[];
  readonly internalRoles: readonly string[];
  /** Whether extensions that the server does not have are left out; `refused` unless it says so. */
  readonly lacking?: 'refused' | 'accepted' | undefined;
  /** Whose rights pg_restore has; those of the `owner` unless it says so. Of a `superuser` only in a fresh dedicated project: see adr/0013. */
  readonly rights?: RestoreRights | undefined;
}

/** An empty database or schema next to the live data of a project, to restore into. The live data does not change before `swapIn`. */
export interface Staging {
  /**
   * Runs what loads the archive, which connects as the owner. A dump runs its owner's code with the rights of the role that restores it, so
   * this is a superuser only where the spec says so, and not longer than the work takes.
   */
  load<T>(work: (target: PostgresTarget) => Promise<T>): Promise<T>;
  /** The session that compares the restored data connects here. */
  readonly inspector: PostgresTarget;
  readonly major: number;
  /**
   * The name that the schema of an archive must have to be restored here; null for any. When it differs, the caller has to rename it in the
   * archive first.
   */
  readonly schema: string | null;
  /** Which entries exist here already, or may not be created by the role. */
  omits(entry: ArchiveEntry): boolean;
  /**
   * Whether pg_restore goes on after an error: where the administrator creates what the owner may not. The comparison with the source decides
   * then.
   */
  readonly afterError: 'stop' | 'go on';
  /** When the default privileges that the owner has in all schemas are set: a role that is in use gets them with `swapIn` only. */
  readonly roleDefaults: 'complete' | 'swapIn';
  /** Restores owners, grants, default privileges and ledger, after pg_restore, and what only an administrator can create. */
  complete(prerequisites: Prerequisites): Promise<void>;
  /**
   * Makes it the live data atomically: every session sees either the old or the new data. Sessions of the project end.
   *
   * @throws FluxError whose details have `outcome: unknown` when the server cannot tell whether it is live: nothing may be removed then
   */
  swapIn(previous: 'keep' | 'drop', signal?: AbortSignal): Promise<SwapOutcome>;
  /** Removes it. Does nothing after `swapIn`. */
  discard(): Promise<void>;
}

/** Creates staging areas next to the live data of a project. @throws FluxError `instance_stopped`, `instance_unavailable` */
export interface StagingSupport {
  /** Creates an empty staging area. One that an earlier restore left behind is removed first. */
  open(project: EngineProject, spec: StagingSpec, signal?: AbortSignal): Promise<Staging>;
  /** Creates a staging area with the contents of a new project, ready to be swapped in. */
  openEmpty(project: EngineProject, signal?: AbortSignal): Promise<Staging>;
  /** Creates a schema next to the live one for single tables. */
  openTables(project: EngineProject, signal?: AbortSignal): Promise<TableStaging>;
}
