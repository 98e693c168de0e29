import type { EngineProject } from './engine.ts';

/** A pooled project, as far as a move to a server of its own must know it. */
export interface TenantSurvey {
  readonly tables: number;
  readonly estimatedRows: number;
  readonly sizeBytes: number;
  /** Objects outside of the schema that its objects need and no export of it holds, in sentences. */
  readonly needsOutside: readonly string[];
  /** Roles, besides the project's own and those that every project has, that have privileges in the schema or own objects there. */
  readonly otherRoles: readonly string[];
  /** Functions whose text or settings name the schema; after the move it is called `public`. */
  readonly functionsThatNameIt: readonly string[];
  /** Objects of other projects that use objects of this one. */
  readonly usedBy: readonly string[];
  readonly extensions: readonly string[];
  /** Transactions that were prepared and keep their locks until somebody ends them. */
  readonly preparedTransactions: readonly string[];
}

/** While it exists, nobody writes to the project. Disposing of it lets waiting writers continue. */
export interface WriteBlock extends AsyncDisposable {
  /** @throws FluxError `instance_unavailable` when somebody may have written since the block began */
  assertUnbroken(): Promise<void>;
}

/** What moving a project out of the pool needs of the pool. */
export interface PooledSupport {
  /** @throws FluxError `instance_stopped`, `instance_unavailable` */
  survey(project: EngineProject, signal?: AbortSignal): Promise<TenantSurvey>;
  /**
   * Makes every session wait that would write to a table of the project; reading continues. A crash of the control plane ends
   * the block.
   *
   * @throws FluxError `not_ready` when another transaction does not end in time
   */
  blockWrites(project: EngineProject, signal: AbortSignal): Promise<WriteBlock>;
  /** Ends the sessions of the project and refuses new ones until `repair`. */
  closeLogins(project: EngineProject, signal?: AbortSignal): Promise<void>;
  /** Starts the cluster, creates what is missing of the project there, and lets its logins in again. */
  repair(project: EngineProject, signal?: AbortSignal): Promise<void>;
}
