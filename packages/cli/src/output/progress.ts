import type { Progress } from '@flux/contract/operation';
import { formatBytes, formatCount } from './quantity.ts';
import { formatDuration } from './time.ts';

/** Turns reports of progress into one line each: what is done, how much, how fast, and how long it may still take. */
export interface ProgressMeter {
  describe(progress: Progress, nowMs: number): string;
}

/** Creates a meter. Rate and estimate belong to the current phase, and appear after its first half second. */
export function createProgressMeter(): ProgressMeter {
  let phase = '';
  let startedAt = 0;
  let startedDone = 0;
  return {
    describe(progress, nowMs) {
      if (progress.phase !== phase) {
        phase = progress.phase;
        startedAt = nowMs;
        startedDone = progress.done ?? 0;
      }
      const { done, total, unit } = progress;
      if (done === undefined) return progress.message;
      const amount = (count: number): string => (unit === 'bytes' ? formatBytes(count) : formatCount(count));
      const noun = unit === undefined || unit === 'bytes' ? '' : ` ${unit}`;
      const parts = [`${amount(done)}${total === undefined ? '' : ` of about ${amount(total)}`}${noun}`];
      const elapsed = nowMs - startedAt;
      const rate = elapsed < 500 ? 0 : (done - startedDone) / (elapsed / 1000);
      if (rate > 0 && unit !== 'steps') parts.push(`${amount(Math.round(rate))}${noun}/s`);
      if (rate > 0 && total !== undefined && total > done) parts.push(`about ${formatDuration(((total - done) / rate) * 1000)} left`);
      return `${progress.message} · ${parts.join(' · ')}`;
    },
  };
}
