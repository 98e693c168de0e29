import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';

const BUFFER_BYTES = 1 << 20;
const SYNC_EVERY_BYTES = 32 * 2 ** 20;

/**
 * Writes what comes, and hashes it. pg_dump hands its bytes over 4 KiB at a time: to hash, write and count each piece by
 * itself cost more processor time than all the rest, so they are gathered in two buffers, of which one is filled while the
 * other is written.
 *
 * Now and then what has been written is sent on to the disk, so that the fsync at the end has little left to do. The kernel
 * tells of an error once, to whoever asks first: it is thrown here.
 */
export async function writeGathered(
  bytes: AsyncIterable<Buffer>,
  file: FileHandle,
  onBytes?: (total: number) => void,
): Promise<{ readonly sizeBytes: number; readonly sha256: string }> {
  const hash = createHash('sha256');
  let [filling, other] = [Buffer.allocUnsafeSlow(BUFFER_BYTES), Buffer.allocUnsafeSlow(BUFFER_BYTES)];
  let filled = 0;
  let sizeBytes = 0;
  let syncedBytes = 0;
  let writing: Promise<void> = Promise.resolve();
  let syncing: Promise<void> = Promise.resolve();
  const flush = async () => {
    const full = filling.subarray(0, filled);
    hash.update(full);
    await writing;
    writing = writeAll(file, full);
    writing.catch(() => undefined);
    sizeBytes += filled;
    [filling, other] = [other, filling];
    filled = 0;
    onBytes?.(sizeBytes);
    if (sizeBytes - syncedBytes < SYNC_EVERY_BYTES) return;
    syncedBytes = sizeBytes;
    syncing = syncing.then(() => file.datasync());
    syncing.catch(() => undefined);
  };
  try {
    for await (const chunk of bytes) {
      for (let at = 0; at < chunk.length; ) {
        const copied = chunk.copy(filling, filled, at);
        at += copied;
        filled += copied;
        if (filled === filling.length) await flush();
      }
    }
    await flush();
  } finally {
    // The caller closes the file: nothing may be under way in it then.
    await Promise.allSettled([writing, syncing]);
  }
  await writing;
  await syncing;
  return { sizeBytes, sha256: hash.digest('hex') };
}

async function writeAll(file: FileHandle, bytes: Buffer): Promise<void> {
  // A write may take fewer bytes than it was given, just before the disk is full.
  for (let offset = 0; offset < bytes.length; ) offset += (await file.write(bytes, offset)).bytesWritten;
}
