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

/** While it exists, nobody can write to the project, nor create, alter or drop anything of it. Disposing of it lets waiting writers continue. */
export interface WriteBlock extends AsyncDisposable {
  /** @throws FluxError `instance_unavailable` when somebody may have written since the block began */
  assertUnbroken(): Promise<void>;
}

/** What a pooled project was like at a moment, apart from rows and the values of sequences; opaque. */
export interface PooledState {
  readonly digest: string;
  readonly xid: string;
}

/** Where a sequence stands. */
export interface SequencePosition {
  /** Without its schema, unquoted. */
  readonly name: string;
  readonly lastValue: string;
  readonly isCalled: boolean;
}

/** What the pool provides for moving a project out of it. */
export interface PooledSupport {
  /** @throws FluxError `instance_stopped`, `instance_unavailable` */
  survey(project: EngineProject, signal?: AbortSignal): Promise<TenantSurvey>;
  /**
   * Makes every session wait that would write to a table of the project, and refuses to create, alter or drop anything of it; reading
   * continues. After a crash of the control plane writing goes on, and `repair` ends the rest.
   *
   * @throws FluxError `not_ready` when another transaction does not end in time
   */
  blockWrites(project: EngineProject, signal: AbortSignal): Promise<WriteBlock>;
  /** Reads the state of the project. A state that is older than a dump, and the same after it, is that of the dump. */
  readState(project: EngineProject, signal?: AbortSignal): Promise<PooledState>;
  /** What was created, altered, granted, truncated or dropped since, in a few words each; empty when nothing was. */
  listChanges(project: EngineProject, since: PooledState, signal?: AbortSignal): Promise<readonly string[]>;
  /** Where its sequences stand, which no lock can stop. */
  readSequences(project: EngineProject, signal?: AbortSignal): Promise<readonly SequencePosition[]>;
  /** Ends the sessions of the project and refuses new ones until `repair`. */
  closeLogins(project: EngineProject, signal?: AbortSignal): Promise<void>;
  /** Starts the cluster, creates missing parts of the project there, and enables its logins and all that they may do again. */
  repair(project: EngineProject, signal?: AbortSignal): Promise<void>;
}
