import { setTimeout as delay } from 'node:timers/promises';
import { FluxError } from '@flux/contract/errors';
import { expect, it } from 'vitest';
import type { Task } from './define.ts';
import { withinTime } from './time-limit.ts';

const task = { signal: new AbortController().signal } as Task;
const tookTooLong = (cause: unknown) => new FluxError('postgres_failed', 'It took too long, and was rolled back.', { cause });
const failLate = (error: FluxError) => () => delay(50).then(() => Promise.reject(error));

it('explains work that failed because its time was over', async () => {
  const late = failLate(new FluxError('not_ready', 'aborted'));
  await expect(withinTime(task, 10, tookTooLong, late)).rejects.toMatchObject({ code: 'postgres_failed' });
});

it('lets it say that nobody knows its outcome', async () => {
  const unknown = new FluxError('instance_unavailable', 'lost', { details: { outcome: 'unknown' } });
  await expect(withinTime(task, 10, tookTooLong, failLate(unknown))).rejects.toBe(unknown);
});
