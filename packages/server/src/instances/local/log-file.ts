import { copyFile, open, stat, truncate } from 'node:fs/promises';

/** A log is copied aside and emptied when it has grown beyond this; one old copy is kept. */
const MAX_LOG_BYTES = 8 * 1024 * 1024;

/**
 * Keeps a log within bounds. Copying and emptying instead of renaming: the server keeps writing to the file that it was
 * given, at its end. What it writes between the two steps is lost.
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

/** The size of a log now; what a server writes from here on is its own. */
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
