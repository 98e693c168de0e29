import { expect, it } from 'vitest';
import { findTables } from './restore-tables.ts';

const manifest = {
  schema: null,
  objects: ['public.orders', 'public."Order Lines"', 'audit.log', 'public."a.b"', 'public.log', '"my schema".t'].map((name) => ({
    kind: 'table',
    name,
    definition: '',
  })),
};

it('finds tables by the names that people write', () => {
  expect(findTables(manifest, ['orders', 'Order Lines', 'audit.log', 'a.b', 'my schema.t', 'orders'])).toEqual([
    { from: 'public.orders', name: 'orders' },
    { from: 'public."Order Lines"', name: 'Order Lines' },
    { from: 'audit.log', name: 'log' },
    { from: 'public."a.b"', name: 'a.b' },
    { from: '"my schema".t', name: 't' },
  ]);
});

it('says which tables there are when one is not', () => {
  expect(() => findTables(manifest, ['order'])).toThrow('The backup holds no table order.');
  expect(() => findTables({ schema: null, objects: [] }, ['order'])).toThrow();
  expect(() => findTables(manifest, ['public.log', 'audit.log'])).toThrow('Two of the tables are called log.');
});
