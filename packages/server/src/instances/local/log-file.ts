import { copyFile, open, stat, truncate } from 'node:fs/promises';

/** A log is copied and truncated when it is larger than this; one old copy is kept. */
const MAX_LOG_BYTES = 8 * 1024 * 1024;

/**
 * Limits the size of a log. It is copied and truncated instead of renamed, because the server keeps writing to the end of the file that it
 * was given. What it writes between the two steps is lost.
 */
export async function boundLog(path: string, maxBytes = MAX_LOG_BYTES): Promise<void> {
  const size = await stat(path).then(
    (facts) => facts.size,
    () => 0,
  );
  if (size <= maxBytes) return;
  await copyFile(path, `${path}.1`);
  await truncate(path, 0);
}

/** The current size of a log: what a server started now writes begins after it. */
export async function logPosition(path: string): Promise<number> {
  return stat(path).then(
    (facts) => facts.size,
    () => 0,
  );
}

/** The last lines of a log, at most 4096 bytes and not before `from`. Empty when there is none. */
export async function logTail(path: string, from = 0, lines = 6): Promise<string> {
  await using file = await open(path, 'r').catch(() => undefined);
  if (file === undefined) return '';
  const { size } = await file.stat();
  const start = Math.max(size - 4096, Math.min(from, size));
  const { buffer, bytesRead } = await file.read(Buffer.alloc(4096), 0, 4096, start);
  return buffer.subarray(0, bytesRead).toString('utf8').trimEnd().split('\n').slice(-lines).join('\n');
}
