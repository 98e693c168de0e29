import type { OperationId } from '@flux/contract/ids';
import { expect, it } from 'vitest';
import { CarriedOperations } from './carried.ts';

const [A, B] = ['a', 'b'] as OperationId[] as [OperationId, OperationId];

it('takes for stuck what nobody carries in two looks in a row', () => {
  const carried = new CarriedOperations();
  expect(carried.findStuck([A])).toEqual(new Set());
  expect(carried.findStuck([A, B])).toEqual(new Set([A]));
  expect(carried.findStuck([])).toEqual(new Set());
  expect(carried.findStuck([B])).toEqual(new Set());
});

it('carries an operation until the last of its runs has returned, also by failing', async () => {
  const carried = new CarriedOperations();
  const ends: PromiseWithResolvers<void>[] = [];
  const carry = () => {
    const end = Promise.withResolvers<void>();
    ends.push(end);
    return carried.carry(A, () => end.promise);
  };
  const [first, second] = [carry(), carry()];
  ends[0]?.resolve();
  await first;
  carried.findStuck([A]);
  expect(carried.findStuck([A])).toEqual(new Set());
  ends[1]?.reject(new Error('the answer was lost'));
  await expect(second).rejects.toThrow('lost');
  carried.findStuck([A]);
  expect(carried.findStuck([A])).toEqual(new Set([A]));
});
