import type { ProjectId } from '@flux/contract/ids';
import type { EngineKind } from '@flux/contract/labels';
import type { AppliedMigration, PostgresParts } from '@flux/contract/project';
import type { InstanceStatus } from '../instances/instance.ts';
import type { ChangeMarks } from '../postgres/change-marks.ts';
import type { PostgresTarget } from '../postgres/target.ts';
import type { KeptData, RestoreSide, SideSpec, SwapOutcome } from './restore-side.ts';
import type { TableShelf } from './shelf.ts';

/**
 * What an engine needs to know of a project. `secrets` are plain text here (the catalog stores them sealed); an engine makes
 * them in `newSecrets` and finds the same ones in every later call.
 */
export interface EngineProject {
  readonly id: ProjectId;
  readonly slug: string;
  readonly hash: string;
  readonly engine: EngineKind;
  readonly secrets: ProjectSecrets;
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
  /** URI of a database that the user attached; only then is it set. */
  readonly attachedUri?: string | undefined;
}

/** Everything that a dump and its manifest need. */
export interface BackupSource {
  readonly kind: 'project_db' | 'tenant_export';
  /** The role that dumps: on v2 it reads everything of the tenant schema and nothing else (BYPASSRLS, no superuser). */
  readonly target: PostgresTarget;
  readonly major: number;
  /** Only this schema is dumped; undefined dumps the whole database. */
  readonly schema?: string;
  /** Roles whose grants are Flux's own and no part of the user's data. */
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
  readonly signal?: AbortSignal;
}

/** How a push ended. */
export interface PushOutcome {
  readonly skipped: boolean;
  readonly previousChecksum?: string;
  readonly statements: number;
  readonly warnings: readonly string[];
}

/** How a project lives in Postgres: one implementation for each engine. Every method may be repeated after a failure. */
export interface Engine {
  readonly kind: EngineKind;
  /** The schema that the project's API shows: `public` on v1, `t_<shortId>_api` on v2. */
  apiSchema(project: EngineProject): string;
  /**
   * Makes instance or schema, roles and login; repeating it completes a half-made one.
   *
   * @param major what a server of its own should be of, when it can be had here
   */
  provision(project: EngineProject, signal?: AbortSignal, major?: number): Promise<void>;
  /** Removes everything that `provision` made; repeating it completes a half-removed one. */
  remove(project: EngineProject): Promise<void>;
  start(project: EngineProject): Promise<void>;
  /** @throws FluxError `invalid_request` on v2, where the cluster is everybody's */
  stop(project: EngineProject): Promise<void>;
  status(project: EngineProject): Promise<InstanceStatus & { readonly postgresVersion: string | null }>;
  /** The login for people and programs outside, reachable from the user's machine. */
  credentials(project: EngineProject): Promise<PostgresParts>;
  /**
   * @throws FluxError `sql_failed` with `details: {problem, advice, statement, line, column?, sqlState, position}`; `sql_not_allowed`;
   *   `migration_conflict` with `details: {version, filename, appliedChecksum, checksum}`; `instance_stopped`;
   *   `instance_unavailable`
   */
  push(project: EngineProject, request: ScriptRequest): Promise<PushOutcome>;
  listMigrations(project: EngineProject): Promise<readonly AppliedMigration[]>;
  /** @throws FluxError `instance_stopped`, `instance_unavailable` */
  backupSource(project: EngineProject): Promise<BackupSource>;
  /** Where the counters of changes stand now. @throws FluxError `instance_stopped`, `instance_unavailable` */
  readChangeMarks(project: EngineProject, signal: AbortSignal): Promise<ChangeMarks>;
  /** Names of the roles that belong to the project alone, always in the same order; the owner of its data is the first. */
  roleNames(project: EngineProject): readonly string[];
  /**
   * Makes an empty place beside the live data, to restore into. What an earlier restore left of one is removed first.
   *
   * @throws FluxError `invalid_request` for an attached database, which is not ours; `instance_stopped`, `instance_unavailable`
   */
  openSide(project: EngineProject, spec: SideSpec, signal?: AbortSignal): Promise<RestoreSide>;
  /** Makes a place beside the live data that is as a new project is, ready to be swapped in. @throws as `openSide` */
  openEmptySide(project: EngineProject, signal?: AbortSignal): Promise<RestoreSide>;
  /** Makes a schema beside the live data for single tables. @throws as `openSide` */
  openShelf(project: EngineProject, signal?: AbortSignal): Promise<TableShelf>;
  /** What restores in place have replaced and kept, newest first. @throws FluxError `instance_stopped`, `instance_unavailable` */
  listKept(project: EngineProject): Promise<readonly KeptData[]>;
  /** Makes the newest of them live again, and keeps what is live now. @throws FluxError `not_found` when nothing is kept */
  undoSwap(project: EngineProject): Promise<SwapOutcome>;
  /** Removes what is kept. */
  dropKept(project: EngineProject, names: readonly string[]): Promise<void>;
}
