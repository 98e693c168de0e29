import type { LimitExceeded } from './provider.ts';

/** Limits of the kernel, by the SQLSTATE in a server's log. Source: the manual, appendix A, class 53. */
export function limitInWords(words: string): LimitExceeded | undefined {
  for (const line of words.split('\n')) {
    if (line.startsWith('53100 ')) return { limit: 'disk', message: 'its disk was full' };
    if (line.startsWith('53200 ')) return { limit: 'memory', message: 'Postgres ran out of memory' };
    if (/could not fork/.test(line)) return { limit: 'processes', message: 'Postgres could not start another process' };
  }
  return undefined;
}

/** Whether a log reports a killed backend, for example by the kernel's OOM killer. */
export function hasCrashInWords(words: string): boolean {
  return /server process \(PID \d+\) was terminated by signal|terminating any other active server processes/.test(words);
}
