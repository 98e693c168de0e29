import { FluxError } from '@flux/contract/errors';

/**
 * Runs work that Ctrl-C stops in an orderly way.
 *
 * @param facts the message after Ctrl-C: that the work continues elsewhere, or how to resume it; read at that moment
 * @throws FluxError `interrupted_by_user`, through the signal that the work was given
 */
export async function interruptible<T>(
  facts: { readonly message: string; readonly hint: string },
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const stop = (): void => controller.abort(new FluxError('interrupted_by_user', facts.message, { hint: facts.hint }));
  process.on('SIGINT', stop);
  try {
    return await work(controller.signal);
  } finally {
    process.off('SIGINT', stop);
  }
}

/** Waits, and resolves early when the signal is aborted; the caller checks the signal. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    function done(): void {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    }
    signal?.addEventListener('abort', done, { once: true });
    if (signal?.aborted === true) done();
  });
}
