import { describeBlobStore } from '../conformance/blob-store.ts';
import { createMemoryStore, type MemoryVolume } from './memory-store.ts';

describeBlobStore('the store in memory', async () => {
  const volume: MemoryVolume = { blobs: new Map(), drafts: new Map() };
  return {
    open: (workerId) => createMemoryStore(volume, () => workerId),
    drafts: async () => [...volume.drafts.values()],
    release: async () => undefined,
  };
});
