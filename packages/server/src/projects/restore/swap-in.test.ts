import { FluxError } from '@flux/contract/errors';
import { expect, it } from 'vitest';
import type { ProjectRow } from '../../catalog/projects.ts';
import type { Staging } from '../../engines/staging.ts';
import type { Task } from '../../operations/define.ts';
import { createLog } from '../../system/log.ts';
import { type SwapDeps, swapIn } from './swap-in.ts';

/** Swaps in a staging whose swap fails. @returns what was removed then */
async function removedAfter(failure: FluxError): Promise<string[]> {
  const removed: string[] = [];
  const undo = {
    list: async () => [{ name: 'shop_before_20260620171833' }],
    drop: async (_: unknown, names: readonly string[]) => void removed.push(...names),
  };
  const deps = {
    catalog: { db: { transaction: () => ({ execute: (work: (db: unknown) => Promise<void>) => work({}) }) } },
    engines: { of: () => ({ engine: { undo }, project: {} }) },
    undoKeepMs: 1000,
    log: createLog('silent'),
  } as unknown as SwapDeps;
  const staging = {
    swapIn: () => Promise.reject(failure),
    discard: async () => void removed.push('staging'),
  } as unknown as Staging;
  const task = { progress: () => undefined, signal: new AbortController().signal, requireHeld: async () => undefined } as unknown as Task;
  await expect(swapIn(deps, {} as ProjectRow, staging, task, async () => undefined)).rejects.toBe(failure);
  return removed;
}

it('removes the staging after a swap that failed', async () => {
  expect(await removedAfter(new FluxError('not_ready', 'It could not be swapped.'))).toEqual(['staging']);
});

it('removes nothing while nobody knows whether it was swapped', async () => {
  expect(await removedAfter(new FluxError('instance_unavailable', 'Lost.', { details: { outcome: 'unknown' } }))).toEqual([]);
});
