import type { OperationId } from '@flux/contract/ids';

/**
 * The operations that this process works at. One that the catalog says is run by this worker although it is not among them is stuck: the
 * answer to its claim was lost after the catalog had committed it, or its end could not be recorded. As long as the lease is held, nobody
 * else ends it.
 */
export class CarriedOperations {
  /** One for each run: the next run of an operation that was set aside may begin before the one before has returned. */
  readonly #runs = new Set<{ readonly id: OperationId }>();
  #seenBefore: ReadonlySet<OperationId> = new Set();

  /** Does what claims and runs an operation. The id is known as carried before the catalog is told, so that no look comes in between. */
  async carry<T>(id: OperationId, work: () => Promise<T>): Promise<T> {
    const run = { id };
    this.#runs.add(run);
    try {
      return await work();
    } finally {
      this.#runs.delete(run);
    }
  }

  /**
   * Which operations, of those that are recorded as running under this worker, are stuck: not carried now, nor when this was asked the
   * last time. Once is not enough: a run may have recorded its end after the rows were read.
   */
  findStuck(recorded: readonly OperationId[]): ReadonlySet<OperationId> {
    const carried = new Set([...this.#runs].map(({ id }) => id));
    const seen = new Set(recorded.filter((id) => !carried.has(id)));
    const stuck = new Set([...seen].filter((id) => this.#seenBefore.has(id)));
    this.#seenBefore = seen;
    return stuck;
  }
}
