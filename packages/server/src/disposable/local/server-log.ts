import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import type { LimitExceeded } from '../provider.ts';
import { hasCrashInWords, limitInWords } from '../server-words.ts';

/** What the server's log says about a bound of the kernel. */
export function limitInLog(path: string): LimitExceeded | undefined {
  return limitInWords(readTail(path));
}

/** Tells whether the log speaks of a backend that was killed. */
export function hasCrashInLog(path: string): boolean {
  return hasCrashInWords(readTail(path));
}

/** The end of the log, at once: callers ask for it between a failure and their judgement of it. */
function readTail(path: string): string {
  let file: number | undefined;
  try {
    file = openSync(path, 'r');
    const buffer = Buffer.alloc(64 * 1024);
    const length = readSync(file, buffer, 0, buffer.length, Math.max(0, fstatSync(file).size - buffer.length));
    return buffer.toString('utf8', 0, length);
  } catch {
    // No log: the instance has been disposed of, and nothing can be learnt any more.
    return '';
  } finally {
    if (file !== undefined) closeSync(file);
  }
}
