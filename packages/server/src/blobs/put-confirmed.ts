import { closeSource } from './abortable.ts';
import type { BlobStore, PutOptions, StoredBlob } from './store.ts';

/** Passes the bytes of a producer to the store. Resolves when the store has taken the last one. Must be called once. */
export type TakeBytes = (bytes: AsyncIterable<Buffer>) => Promise<void>;

/**
 * Stores the output of a producer, but only if the producer afterwards reports success.
 *
 * The end of a pipe says nothing about whether the program behind it succeeded, and a program's exit status comes after its last
 * byte. So the store's source stays open until `produce` has resolved; when it rejects, the source fails and nothing becomes visible.
 *
 * @param produce calls `take` once and resolves only when the bytes are known to be good. It also does whatever must be durable
 *   before the blob becomes visible
 */
export async function putConfirmed<T>(
  store: BlobStore,
  key: string,
  produce: (take: TakeBytes) => Promise<T>,
  options: PutOptions,
): Promise<{ readonly stored: StoredBlob; readonly produced: T }> {
  const arrived = Promise.withResolvers<AsyncIterable<Buffer>>();
  const consumed = Promise.withResolvers<void>();
  const confirmed = Promise.withResolvers<T>();
  for (const { promise } of [arrived, consumed, confirmed] as const) (promise as Promise<unknown>).catch(() => undefined);
  let opened: { readonly bytes: AsyncIterable<Buffer>; readonly iterator: AsyncIterator<Buffer> } | undefined;
  const open = (bytes: AsyncIterable<Buffer>) => {
    opened = { bytes, iterator: bytes[Symbol.asyncIterator]() };
    return opened;
  };
  const source: AsyncIterableIterator<Buffer, undefined> = {
    next: async () => {
      const { iterator } = opened ?? open(await arrived.promise);
      const result = await iterator.next().catch((error: unknown) => {
        consumed.reject(error);
        throw error;
      });
      if (result.done !== true) return result;
      consumed.resolve();
      await confirmed.promise;
      return { done: true, value: undefined };
    },
    return: async () => {
      if (opened !== undefined) await closeSource(opened.bytes, opened.iterator);
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
  const putting = store.put(key, source, options);
  // A failing store ends the producer: it stops taking bytes, and `take` rejects with the reason.
  putting.catch(consumed.reject);
  const producing = produce((bytes) => {
    arrived.resolve(bytes);
    return consumed.promise;
  });
  producing.then(
    (value) => {
      // Has no effect once bytes have arrived.
      arrived.reject(new Error('the producer succeeded without producing any bytes'));
      confirmed.resolve(value);
    },
    (error) => {
      arrived.reject(error);
      confirmed.reject(error);
    },
  );
  // Both have ended before this returns: neither a child nor a draft outlives it.
  const [produced, stored] = await Promise.allSettled([producing, putting]);
  if (produced.status === 'rejected') throw produced.reason;
  if (stored.status === 'rejected') throw stored.reason;
  return { stored: stored.value, produced: produced.value };
}
