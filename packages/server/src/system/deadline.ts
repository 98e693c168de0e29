/** A time limit on work of this process. Disposing of it ends its timer. */
export interface Deadline extends Disposable {
  /** Aborted with a `TimeoutError` when the time is over. */
  readonly signal: AbortSignal;
}

/**
 * The limit of work that may take hours. `AbortSignal.timeout` would keep its timer, and all that the work has opened, until the time
 * is over and not until the work is.
 */
export function deadlineAfter(ms: number): Deadline {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(new DOMException(`The work has not ended within ${ms} ms.`, 'TimeoutError')), ms);
  timer.unref();
  return { signal: controller.signal, [Symbol.dispose]: () => clearTimeout(timer) };
}
