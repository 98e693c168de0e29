import type { LimitExceeded } from './provider.ts';

/** What a server's log says about a bound of the kernel. SQLSTATEs: the manual, appendix A, class 53. */
export function limitInWords(words: string): LimitExceeded | undefined {
  for (const line of words.split('\n')) {
    if (line.startsWith('53100 ')) return { limit: 'disk', message: 'its disk was full' };
    if (line.startsWith('53200 ')) return { limit: 'memory', message: 'Postgres ran out of memory' };
    if (/could not fork/.test(line)) return { limit: 'processes', message: 'Postgres could not start another process' };
  }
  return undefined;
}

/** Tells whether a log speaks of a backend that was killed, by the kernel for want of memory for instance. */
export function hasCrashInWords(words: string): boolean {
  return /server process \(PID \d+\) was terminated by signal|terminating any other active server processes/.test(words);
}
