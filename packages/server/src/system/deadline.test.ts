import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { deadlineAfter } from './deadline.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

it('aborts when the time is over', () => {
  using deadline = deadlineAfter(12 * 3_600_000);
  vi.advanceTimersByTime(12 * 3_600_000 - 1);
  expect(deadline.signal.aborted).toBe(false);
  vi.advanceTimersByTime(1);
  expect(deadline.signal.reason).toMatchObject({ name: 'TimeoutError' });
});

it('holds nothing once the work is done', () => {
  {
    using _ = deadlineAfter(12 * 3_600_000);
    expect(vi.getTimerCount()).toBe(1);
  }
  expect(vi.getTimerCount()).toBe(0);
});
