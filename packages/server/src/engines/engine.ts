import type { BackupScope } from '@flux/contract/backup-scope';
import type { Finding } from '@flux/contract/doctor';
import type { ProjectId, UserId } from '@flux/contract/ids';
import type { EngineKind } from '@flux/contract/labels';
import type { PostgresParts } from '@flux/contract/project';
import type { InstanceStatus } from '../instances/instance.ts';
import type { ChangeMarks } from '../postgres/change-marks.ts';
import type { PreloadWish } from '../postgres/manifest/preload.ts';
import type { PostgresTarget } from '../postgres/target.ts';
import type { DatabaseIdentity } from './attached/identity.ts';
import type { OwnerAccess } from './owner-access.ts';
import type { PooledSupport } from './pooled.ts';
import type { StagingSupport } from './staging.ts';
import type { StandingSupport } from './standing.ts';
import type { UndoSupport } from './undo.ts';

/**
 * What an engine needs to know about a project. `secrets` are plain text here; the catalog stores them encrypted. They are created
 * with the project and never change; only the URI of an attached database can be replaced.
 */
export interface EngineProject {
  readonly id: ProjectId;
  readonly slug: string;
  readonly hash: string;
  /** The account that has it: what it uses of a server that others may use too is counted as the account's. */
  readonly ownerId: UserId;
  readonly engine: EngineKind;
  readonly secrets: ProjectSecrets;
  /** Which part of an attached database is backed up; undefined for all of it. */
  readonly scope?: BackupScope | undefined;
}

/** Secrets of one project. */
export interface ProjectSecrets {
  /** Password of the login that `flux project credentials` prints. */
  readonly loginPassword: string;
  /** Password of the owner role that pushes run as; on v1 the same login. */
  readonly ownerPassword: string;
  /** Password of the role that dumps. */
  readonly backupPassword: string;
  /** HMAC secret that the project's JWTs are signed with. */
  readonly jwtSecret: string;
  /** URI of the user's own database. Only the attached engine reads it; whether a project is attached is a column of the catalog. */
  readonly attachedUri?: string | undefined;
}

/** Everything that a dump and its manifest need. */
export interface BackupSource {
  readonly kind: 'project_db' | 'tenant_export';
  /** The role that dumps: on v2 it reads everything of the tenant schema and nothing else (BYPASSRLS, not a superuser). */
  readonly target: PostgresTarget;
  /** Who can see all sessions of the server: which of them keeps a dump waiting. */
  readonly observer: PostgresTarget;
  readonly major: number;
  /** Only this schema is dumped; undefined dumps the whole database. */
  readonly schema?: string;
  /** The part of the database that is dumped; undefined for all of it. */
  readonly scope?: BackupScope | undefined;
  /** Roles whose grants are Flux's own and not part of the user's data. */
  readonly internalRoles: readonly string[];
}

/** SQL to run as the owner in one transaction together with its ledger row. */
export interface ScriptRequest {
  readonly sql: string;
  readonly filename: string;
  readonly mode: 'raw' | 'versioned' | 'repeatable';
  /** Version of a migration or id of a repeatable script; absent for raw. */
  readonly version?: string;
  /** SHA-256 of the file in lowercase hex; absent for raw. */
  readonly checksum?: string;
  /** Runs everything and rolls it back. */
  readonly dryRun: boolean;
  /** A repeatable script runs although its checksum is unchanged. */
  readonly force: boolean;
  /** Called once the ledger has been asked, when the script will really run; what it throws ends the push before its first statement. */
  readonly beforeRun?: () => Promise<void>;
  /** Whose share of the server it takes, where others push to the same. */
  readonly by?: string;
  /** It is ended, and applies nothing, when it runs for longer. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** How a push ended. */
export interface PushOutcome {
  readonly skipped: boolean;
  readonly previousChecksum?: string;
  readonly statements: number;
  readonly warnings: readonly string[];
}

/** State of a project's Postgres as it is now. */
export interface EngineStatus extends Omit<InstanceStatus, 'major'> {
  /** Null when the server could not be asked. */
  readonly major: number | null;
  /** For example `15.18`; null when the server could not be asked. */
  readonly postgresVersion: string | null;
}

/**
 * How a project is implemented in Postgres: what every engine can do, and optional capabilities (`requireCapability` throws an
 * explanation for an absent one). Every method MUST be repeatable after a failure, and gives up when its signal is aborted.
 */
export interface Engine {
  readonly name: 'dedicated' | 'shared' | 'attached';
  readonly kind: EngineKind;
  /** The schema that the project's API shows: `public` on v1, `t_<shortId>_api` on v2. */
  apiSchema(project: EngineProject): string;
  /** Names of the roles that belong to the project alone, always in the same order; the owner of its data is the first. */
  roleNames(project: EngineProject): readonly string[];
  /**
   * Creates instance or schema, roles and login; repeating it completes an incomplete project.
   *
   * @param major preferred major of a new server; ignored when it is not installed
   */
  provision(project: EngineProject, signal?: AbortSignal, major?: number): Promise<void>;
  /**
   * Removes everything that `provision` created, and nothing that was there before.
   *
   * @throws FluxError `catalog_outdated` when the data says that it is live
   */
  remove(project: EngineProject, options?: RemoveOptions): Promise<void>;
  /**
   * Deletes what `remove` has put into a trash of the engine's own, when it has one, and longer ago than a time.
   *
   * @param onProblem is told of each that could not be deleted; the others are
   * @returns the names of what was deleted
   */
  emptyTrash?(olderThanMs: number, now: Date, onProblem: (name: string, error: unknown) => void): Promise<readonly string[]>;
  /** What the data of a project says of itself, beside it. Absent where Flux removes nothing. */
  readonly standing?: StandingSupport;
  status(project: EngineProject, signal?: AbortSignal): Promise<EngineStatus>;
  /** The login for users and their programs, reachable from the user's machine. */
  credentials(project: EngineProject, signal?: AbortSignal): Promise<PostgresParts>;
  /** @throws FluxError `instance_stopped`, `instance_unavailable` */
  backupSource(project: EngineProject, signal?: AbortSignal): Promise<BackupSource>;
  /** Current values of the counters of changes. @throws FluxError `instance_stopped`, `instance_unavailable` */
  readChangeMarks(project: EngineProject, signal?: AbortSignal): Promise<ChangeMarks>;
  /** Bytes of disk that it takes on a server of Flux, with undo data. Waits for no lock. */
  measureBytes?(project: EngineProject, signal?: AbortSignal): Promise<number>;
  /** How pushes connect, and where they record migrations. @throws FluxError `instance_stopped`, `instance_unavailable` */
  ownerAccess(project: EngineProject, signal?: AbortSignal): Promise<OwnerAccess>;
  /** The database is somebody else's, and its URI can be replaced. */
  readonly attachment?: AttachmentSupport;
  /**
   * How the administrator connects to the project's database, to create extensions in it.
   *
   * @throws FluxError `invalid_request` for a server that Flux does not administer; `instance_stopped`, `instance_unavailable`
   */
  administrator(project: EngineProject, signal?: AbortSignal): Promise<PostgresTarget>;
  /** The server belongs to the project alone, and Flux runs it. */
  readonly power?: PowerSupport;
  /** Data can be restored next to the live data and swapped in. */
  readonly staging?: StagingSupport;
  /** Replaced data is retained for an undo. */
  readonly undo?: UndoSupport;
  /** The project shares its server with others. */
  readonly pooled?: PooledSupport;
}

/** How a project is removed from its engine. */
export interface RemoveOptions {
  /** `trash`: nobody has asked for it, the catalog alone says so; its data is kept for some days. */
  readonly to?: 'trash';
  readonly signal?: AbortSignal | undefined;
}

/** What is asked of a database that somebody else runs. */
export interface AttachmentSupport {
  /** What the database or this host lacks for a backup, or for its proof; empty when that is nothing. */
  look(project: EngineProject, signal?: AbortSignal): Promise<readonly Finding[]>;
  /** What tells the database from another. @throws FluxError `instance_unavailable` */
  identify(project: EngineProject, signal?: AbortSignal): Promise<DatabaseIdentity>;
}

/** Starts and stops the server of a project. */
export interface PowerSupport {
  /** Returns when the server answers queries. */
  start(project: EngineProject, signal?: AbortSignal): Promise<void>;
  /**
   * Has the server load extensions at its start, those of them that this host has; it is started again for that.
   *
   * @param during `restore` until the staging is swapped in: they work in it then, without background workers
   */
  preload(project: EngineProject, wish: PreloadWish, during: 'restore' | 'life', signal?: AbortSignal): Promise<void>;
  /** Stops it until `start`, also across restarts of the control plane. */
  stop(project: EngineProject, signal?: AbortSignal): Promise<void>;
}
