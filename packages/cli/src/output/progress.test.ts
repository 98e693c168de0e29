import { expect, it } from 'vitest';
import { createProgressMeter } from './progress.ts';

it('says amount, rate and what is left once a phase has lasted long enough to know', () => {
  const meter = createProgressMeter();
  const at = (done: number) => ({ phase: 'dump', message: 'Dumping', done, total: 10 * 1024 ** 2, unit: 'bytes' as const });

  expect(meter.describe(at(0), 0)).toBe('Dumping · 0 B of about 10.0 MiB');
  expect(meter.describe(at(2 * 1024 ** 2), 2_000)).toBe('Dumping · 2.0 MiB of about 10.0 MiB · 1.0 MiB/s · about 8.0 s left');
  expect(meter.describe({ phase: 'sync', message: 'Making it durable' }, 3_000)).toBe('Making it durable');
});
