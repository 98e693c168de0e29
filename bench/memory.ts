import { readFileSync } from 'node:fs';

const EVERY_MS = 50;

/** Watches the resident size of a process; `stop` returns its largest growth in bytes. */
export function watchMemory(pid: number): { stop(): number } {
  const before = residentBytes(pid);
  let most = before;
  const timer = setInterval(() => {
    most = Math.max(most, residentBytes(pid));
  }, EVERY_MS);
  return {
    stop: () => {
      clearInterval(timer);
      return most - before;
    },
  };
}

/** VmRSS of a process, from proc(5). */
function residentBytes(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
}
