import { createHash } from 'node:crypto';
import { abortable } from '../../src/blobs/abortable.ts';
import { type BlobPieces, type BlobStore, blobGone, requireBlobKey, requireBlobPrefix, resolveRange } from '../../src/blobs/store.ts';

/** What several stores of one test share, as several servers share a volume. */
export interface MemoryVolume {
  readonly blobs: Map<string, Buffer>;
  /** Drafts under way, with the worker that writes each. */
  readonly drafts: Map<symbol, string>;
}

/** Blobs in memory: shows that nothing in `BlobStore` needs a path. */
export function createMemoryStore(volume: MemoryVolume, workerId: () => string): BlobStore {
  const check = (key: string, signal: AbortSignal) => {
    requireBlobKey(key);
    signal.throwIfAborted();
  };
  return {
    name: 'memory',
    statCost: 'expensive',
    put: async (key, source, { signal, onBytes }) => {
      check(key, signal);
      const draft = Symbol(key);
      volume.drafts.set(draft, workerId());
      const bytes = abortable(source, signal);
      try {
        const chunks: Buffer[] = [];
        let sizeBytes = 0;
        for await (const chunk of bytes) {
          // Copied: the source may use its buffer again.
          chunks.push(Buffer.from(chunk));
          sizeBytes += chunk.length;
          onBytes?.(sizeBytes);
        }
        if (!volume.drafts.has(draft)) throw new Error('the draft was removed');
        const content = Buffer.concat(chunks);
        volume.blobs.set(key, content);
        return { sizeBytes, sha256: createHash('sha256').update(content).digest('hex') };
      } finally {
        volume.drafts.delete(draft);
        await bytes.return?.();
      }
    },
    get: async (key, { range, signal }) => {
      check(key, signal);
      const content = volume.blobs.get(key);
      if (content === undefined) throw blobGone(key);
      const { start, end } = resolveRange(range, content.length);
      return readPieces(content.subarray(start, end), signal);
    },
    stat: async (key, signal) => {
      check(key, signal);
      const content = volume.blobs.get(key);
      return content === undefined ? undefined : { sizeBytes: content.length };
    },
    delete: async (key, signal) => {
      check(key, signal);
      volume.blobs.delete(key);
    },
    list: (prefix, signal) => {
      requireBlobPrefix(prefix);
      return (async function* () {
        for (const [key, { length }] of [...volume.blobs]) {
          signal.throwIfAborted();
          if (key.startsWith(prefix)) yield { key, sizeBytes: length };
        }
      })();
    },
    sweepDrafts: async (isAlive) => {
      for (const [draft, worker] of [...volume.drafts]) if (!(await isAlive(worker))) volume.drafts.delete(draft);
    },
  };
}

function readPieces(content: Buffer, signal: AbortSignal): BlobPieces {
  let at = 0;
  return {
    next: async () => {
      signal.throwIfAborted();
      if (at >= content.length) return { done: true, value: undefined };
      at += 1000;
      return { done: false, value: content.subarray(at - 1000, at) };
    },
    return: async () => {
      at = content.length;
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
