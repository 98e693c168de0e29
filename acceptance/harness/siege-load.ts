import { readFileSync, writeFileSync } from 'node:fs';
import type { Flux } from './flux.ts';

/** Asks again and again how long others wait, until the work is done. */
export async function whileOthersAsk<T>({ url }: Pick<Flux, 'url'>, work: Promise<T>): Promise<{ outcome: T; worstMs: number }> {
  let worstMs = 0;
  let isOver = false;
  const asking = (async () => {
    while (!isOver) {
      const began = performance.now();
      const answer = await fetch(`${url}/healthz`);
      await answer.text();
      if (answer.status !== 200) throw new Error(`/healthz answered ${answer.status} meanwhile`);
      worstMs = Math.max(worstMs, performance.now() - began);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  try {
    const [outcome] = await Promise.all([work.finally(() => (isOver = true)), asking]);
    return { outcome, worstMs: Math.round(worstMs) };
  } finally {
    isOver = true;
  }
}

/** Memory of the server, in MiB: now, and at most since `reset`. Source: proc(5), `status` and `clear_refs`. */
export function watchMemory({ pid }: Pick<Flux, 'pid'>) {
  const read = (name: 'VmHWM' | 'VmRSS') =>
    Math.round(Number(new RegExp(`${name}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid()}/status`, 'utf8'))?.[1]) / 1024);
  writeFileSync(`/proc/${pid()}/clear_refs`, '5');
  const before = read('VmRSS');
  return { before, now: () => read('VmRSS'), peak: () => read('VmHWM') };
}
