import type { BackupId } from '@flux/contract/ids';
import { expect, it } from 'vitest';
import { adviseOnTime } from './run.ts';

const HOUR = 3_600_000;
const limitIn = (limitMs: number) => /--time-limit (\w+)/.exec(adviseOnTime('b' as BackupId, limitMs, 1))?.[1];

it.each([
  [5 * 60_000, '1h'],
  [2 * HOUR, '4h'],
  [12 * HOUR, '24h'],
  [13 * HOUR, '24h'],
  [24 * HOUR - 1, '24h'],
])('after %i ms it names a limit that the command takes: %s', (limitMs, limit) => {
  expect(limitIn(limitMs)).toBe(limit);
});

it('names the settings alone when no command can give more', () => {
  for (const limitMs of [24 * HOUR, 48 * HOUR]) {
    expect(limitIn(limitMs)).toBeUndefined();
    expect(adviseOnTime('b' as BackupId, limitMs, 1)).toContain('FLUX_VERIFY_TIMEOUT_MIN and FLUX_VERIFY_TIMEOUT');
  }
});
