import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import type { LimitExceeded } from '../provider.ts';
import { hasCrashInWords, limitInWords } from '../server-words.ts';

/** A limit of the kernel that the server's log reports. */
export function limitInLog(path: string): LimitExceeded | undefined {
  return limitInWords(readTail(path));
}

/** Whether the log reports a killed backend. */
export function hasCrashInLog(path: string): boolean {
  return hasCrashInWords(readTail(path));
}

/** The end of the log, read synchronously: callers need it between a failure and its judgement. */
function readTail(path: string): string {
  let file: number | undefined;
  try {
    file = openSync(path, 'r');
    const buffer = Buffer.alloc(64 * 1024);
    const length = readSync(file, buffer, 0, buffer.length, Math.max(0, fstatSync(file).size - buffer.length));
    return buffer.toString('utf8', 0, length);
  } catch {
    // No log: the instance has been disposed of.
    return '';
  } finally {
    if (file !== undefined) closeSync(file);
  }
}
