import type { FluxError } from '@flux/contract/errors';
import type { BackupId, OperationId } from '@flux/contract/ids';
import type { Progress } from '@flux/contract/operation';
import type { OperationKind } from '@flux/contract/operation-kind';
import { OPERATION_RESULTS, type OperationResult } from '@flux/contract/operation-results';
import type * as z from 'zod';
import type { Actor } from '../catalog/audit.ts';
import type { DatabaseTransaction } from '../catalog/open.ts';
import type { ProjectRow } from '../catalog/projects.ts';

/** What work receives besides its order: its id, the signal to stop, and a callback for its progress. */
export interface Task {
  readonly id: OperationId;
  /**
   * It was there before this worker took its lease. In a copy of the catalog that was put back it may have been cancelled since, so what it
   * destroys must be kept for a time.
   */
  readonly isInherited: boolean;
  /** Aborted when somebody cancels, when the control plane stops, or when this worker's lease is lost. */
  readonly signal: AbortSignal;
  /** Cheap to call often: only a few per second are recorded. */
  progress(progress: Progress): void;
  /**
   * Part of each transaction that makes something of the work count. Another worker may have begun the work anew, or ended it, while
   * this one was cut off and did not know yet.
   *
   * @throws FluxError `interrupted` when the operation is no longer this worker's
   */
  requireHeld(db: DatabaseTransaction): Promise<void>;
}

/** A parsed request, and what it is about. */
export interface Order<Request> {
  readonly request: Request;
  readonly project: ProjectRow;
  readonly backupId: BackupId | null;
  readonly requester: Actor;
}

/**
 * Which slots an operation waits for: those of `create` dump, those of `verify` restore in a sandbox, those of `change` replace data and may
 * do both, and `short` has no work that runs what a tenant wrote.
 */
export type Lane = 'short' | 'create' | 'verify' | 'change';

/** What an operation locks against other operations, by a constraint of the catalog. */
export type Touches = 'project' | 'backup';

/**
 * A kind of operation: everything that the rest of `operations/` knows about it. `Deps` is what its work uses; it is bound once,
 * in `compose/`.
 */
export interface OperationDefinition<K extends OperationKind, Request extends object, Deps> {
  readonly kind: K;
  readonly lane: Lane;
  /** Parsed when the operation is recorded, and again when it is claimed: another version of Flux may have recorded it. */
  readonly request: z.ZodType<Request>;
  /** Parsed before it is recorded; the client's type comes from the same schema. */
  readonly result: z.ZodType<OperationResult<K>>;
  readonly touches: (request: Request) => Touches;
  /** `project host`: only where the Postgres of the project can be reached and managed. */
  readonly runsOn: 'any' | 'project host';
  /** The audit entry written when the operation is recorded; null when its work writes its own. */
  readonly audit: ((order: Order<Request>) => { readonly action: string; readonly subject?: string; readonly details?: object }) | null;
  /**
   * What becomes of it when its worker stops or dies: work that changes nothing before its end, or can go on from
   * wherever it stopped, is restarted by the next worker.
   */
  readonly afterWorkerLoss: 'restart' | 'end';
  /**
   * What to look at when its worker died without a word and the work may be done all the same. Undefined where running the command
   * again is right in every case.
   */
  readonly hintAfterDeath?: (request: Request) => string | undefined;
  run(deps: Deps, order: Order<Request>, task: Task): Promise<OperationResult<K>>;
  /** Part of the transaction that records success. */
  onSucceeded?(db: DatabaseTransaction, order: Order<Request>, result: OperationResult<K>): Promise<void>;
  /**
   * Part of the transaction that ends the operation in any other way: it failed, was cancelled, or its worker is dead. The
   * returned function is called after the commit, and may fail without harm.
   */
  onInterrupted?(
    deps: Deps,
    db: DatabaseTransaction,
    order: Order<Request> & { readonly id: OperationId },
    reason: FluxError,
  ): Promise<(() => Promise<void>) | undefined>;
}

/** A definition without the schema of its result, which follows from its kind. */
type DefinitionInput<K extends OperationKind, Request extends object, Deps> = Omit<
  OperationDefinition<K, Request, Deps>,
  'result' | 'touches'
> & {
  readonly touches: Touches | ((request: Request) => Touches);
};

/** Defines a kind of operation. */
export function defineOperation<K extends OperationKind, Request extends object, Deps>(
  input: DefinitionInput<K, Request, Deps>,
): OperationDefinition<K, Request, Deps> {
  const { touches } = input;
  return {
    ...input,
    touches: typeof touches === 'function' ? touches : () => touches,
    result: OPERATION_RESULTS[input.kind] as unknown as z.ZodType<OperationResult<K>>,
  };
}

/** A definition together with what its work uses. */
export type BoundOperation = ReturnType<typeof bindOperation>;

/** Binds a definition to what its work uses, so that a worker can run every kind in the same way. */
export function bindOperation<K extends OperationKind, Request extends object, Deps>(
  definition: OperationDefinition<K, Request, Deps>,
  deps: Deps,
) {
  const kind: OperationKind = definition.kind;
  const { afterWorkerLoss, lane, request, result } = definition;
  return {
    kind,
    lane,
    afterWorkerLoss,
    hintAfterDeath: (value: object): string | undefined => definition.hintAfterDeath?.(value as Request),
    /** @throws when this version does not understand the recorded request */
    parseOrder: (order: Order<unknown>): Order<object> => ({ ...order, request: request.parse(order.request) }),
    run: async (order: Order<object>, task: Task): Promise<object> =>
      result.parse(await definition.run(deps, order as Order<Request>, task)) as object,
    onSucceeded: async (db: DatabaseTransaction, order: Order<object>, value: object): Promise<void> =>
      definition.onSucceeded?.(db, order as Order<Request>, value as OperationResult<K>),
    onInterrupted: async (
      db: DatabaseTransaction,
      order: Order<object> & { readonly id: OperationId },
      reason: FluxError,
    ): Promise<(() => Promise<void>) | undefined> =>
      definition.onInterrupted?.(deps, db, order as Order<Request> & { readonly id: OperationId }, reason),
  };
}
