import { expect, it } from 'vitest';
import { chooseTransaction } from './to.ts';

const tables = (count: number) => ({
  objects: Array.from({ length: count }, (_, i) => ({ kind: 'table', name: `t${i}`, definition: '' })),
});

it('restores in one transaction what the server has locks for, and the rest in steps, into an empty database only', () => {
  expect(chooseTransaction(tables(1000), { objects: 0, locks: 6400 })).toBe('all or nothing');
  expect(chooseTransaction(tables(2500), { objects: 0, locks: 6400 })).toBe('statement by statement');
  expect(() => chooseTransaction(tables(2500), { objects: 1, locks: 6400 })).toThrow(
    'The server has 6400 locks, and the backup needs up to 7500',
  );
});
