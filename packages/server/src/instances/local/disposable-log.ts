import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import type { LimitExceeded } from '../disposable.ts';

/** What the server's log says about a bound of the kernel. SQLSTATEs: the manual, appendix A, class 53. */
export function limitInLog(path: string): LimitExceeded | undefined {
  for (const line of readTail(path).split('\n')) {
    if (line.startsWith('53100 ')) return { limit: 'disk', message: 'its disk was full' };
    if (line.startsWith('53200 ')) return { limit: 'memory', message: 'Postgres ran out of memory' };
    if (/could not fork/.test(line)) return { limit: 'processes', message: 'Postgres could not start another process' };
  }
  return undefined;
}

/** Tells whether the log speaks of a backend that was killed, by the kernel for want of memory for instance. */
export function hasCrashInLog(path: string): boolean {
  return /server process \(PID \d+\) was terminated by signal|terminating any other active server processes/.test(readTail(path));
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
