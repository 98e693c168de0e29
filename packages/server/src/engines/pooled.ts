import type { EngineProject } from './engine.ts';

/** A pooled project, as far as a move to a server of its own must know it. */
export interface TenantSurvey {
  readonly tables: number;
  readonly estimatedRows: number;
  readonly sizeBytes: number;
  readonly major: number;
  /** Objects outside of the schema that its objects need, and that no export of it holds, in sentences. */
  readonly needsOutside: readonly string[];
  /** Roles, besides the project's own and those that every project has, that hold rights in the schema or own something there. */
  readonly otherRoles: readonly string[];
  /** Functions whose text or settings name the schema; after the move it is called `public`. */
  readonly functionsThatNameIt: readonly string[];
  /** Objects of other projects that use objects of this one. */
  readonly usedBy: readonly string[];
  readonly extensions: readonly string[];
  /** Transactions that were prepared and hold locks until somebody ends them. */
  readonly preparedTransactions: readonly string[];
}

/** A promise that nobody writes. Disposing of it lets everybody go on. */
export interface WriteHold extends AsyncDisposable {
  /** @throws FluxError `instance_unavailable` when the promise may have been broken since it was given */
  assertHeld(): Promise<void>;
}

/** The pool, as a move out of it needs it. */
export interface PooledTenants {
  /** @throws FluxError `instance_stopped`, `instance_unavailable` */
  survey(project: EngineProject): Promise<TenantSurvey>;
  /**
   * Makes everybody wait who would write to a table of the project, whoever it is; reading goes on. A crash of ours ends it.
   *
   * @throws FluxError `not_ready` when somebody else's transaction does not end in time
   */
  holdWrites(project: EngineProject, signal: AbortSignal): Promise<WriteHold>;
  /** Ends the sessions of the project and lets nobody log in again. `start` of the engine opens it again. */
  closeLogins(project: EngineProject): Promise<void>;
}
