import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import type { StoredBlob } from './store.ts';

const BUFFER_BYTES = 1 << 20;
const SYNC_EVERY_BYTES = 32 * 2 ** 20;

/**
 * Writes what the source yields, and hashes it. pg_dump writes 4 KiB at a time: hashing, writing and counting each chunk separately
 * took more processor time than everything else, so chunks are gathered in one buffer while the other one is written.
 *
 * The file is synced every 32 MiB, so that the final fsync has little left to do. The kernel reports a write error only once, to the
 * first fsync: it is thrown here.
 */
export async function writeGathered(
  source: AsyncIterable<Buffer>,
  file: FileHandle,
  onBytes?: ((total: number) => void) | undefined,
): Promise<StoredBlob> {
  const hash = createHash('sha256');
  let [current, spare] = [Buffer.allocUnsafeSlow(BUFFER_BYTES), Buffer.allocUnsafeSlow(BUFFER_BYTES)];
  let used = 0;
  let sizeBytes = 0;
  let syncedBytes = 0;
  let writing: Promise<void> = Promise.resolve();
  let syncing: Promise<void> = Promise.resolve();
  const flush = async () => {
    const full = current.subarray(0, used);
    hash.update(full);
    await writing;
    writing = writeAll(file, full);
    writing.catch(() => undefined);
    sizeBytes += used;
    [current, spare] = [spare, current];
    used = 0;
    onBytes?.(sizeBytes);
    if (sizeBytes - syncedBytes < SYNC_EVERY_BYTES) return;
    syncedBytes = sizeBytes;
    syncing = syncing.then(() => file.datasync());
    syncing.catch(() => undefined);
  };
  try {
    for await (const chunk of source) {
      for (let at = 0; at < chunk.length; ) {
        const copied = chunk.copy(current, used, at);
        at += copied;
        used += copied;
        if (used === current.length) await flush();
      }
    }
    await flush();
  } finally {
    // The caller closes the file next, so nothing may still be writing to it.
    await Promise.allSettled([writing, syncing]);
  }
  await writing;
  await syncing;
  return { sizeBytes, sha256: hash.digest('hex') };
}

async function writeAll(file: FileHandle, bytes: Buffer): Promise<void> {
  // A write may take fewer bytes than it was given, for example just before the disk is full.
  for (let offset = 0; offset < bytes.length; ) offset += (await file.write(bytes, offset)).bytesWritten;
}
