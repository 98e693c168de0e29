import type { EngineProject } from './engine.ts';

/** What a move to a dedicated server needs to know about a pooled project. */
export interface TenantSurvey {
  readonly tables: number;
  readonly estimatedRows: number;
  readonly sizeBytes: number;
  /** Objects outside the schema that its objects need and that its export does not contain, in sentences. */
  readonly needsOutside: readonly string[];
  /** What only its functions use or may use outside, and what else does not come along, in sentences. */
  readonly perhapsOutside: readonly string[];
  /** What it has itself and uses of `public`, under one name: both would be in one schema. */
  readonly sameNames: readonly string[];
  /** Types, functions and the like outside the schema that are made again in the new server. */
  readonly broughtAlong: readonly string[];
  /** Roles, besides the project's own and those that every project has, that have privileges in the schema or own objects there. */
  readonly otherRoles: readonly string[];
  /** Functions whose text or settings name the schema; after the move it is called `public`. */
  readonly functionsThatNameIt: readonly string[];
  /** Objects of other projects that use objects of this one. */
  readonly usedBy: readonly string[];
  /** Each after its schema. */
  readonly extensions: readonly string[];
  /** Prepared transactions, which keep their locks until somebody ends them. */
  readonly preparedTransactions: readonly string[];
}

/** While it exists, nobody can write to the project. Disposing of it lets waiting writers continue. */
export interface WriteBlock extends AsyncDisposable {
  /** @throws FluxError `instance_unavailable` when somebody may have written since the block began */
  assertUnbroken(): Promise<void>;
}

/** What the pool provides for moving a project out of it. */
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
  /** Starts the cluster, creates missing parts of the project there, and enables its logins again. */
  repair(project: EngineProject, signal?: AbortSignal): Promise<void>;
}
