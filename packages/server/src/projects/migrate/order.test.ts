import { expect, it } from 'vitest';
import { type MigrationChoices, orderOf } from './order.ts';

const pooled = { slug: 'shop', engine: 'v2_shared', attached: false } as const;

it('blocks writes and retains the source unless it is told otherwise', () => {
  expect(orderOf(pooled, { how: 'move' })).toEqual({ how: 'move', lockWrites: true, dropSourceAfter: false });
  expect(orderOf(pooled, { how: 'dry_run', dropSourceAfter: true, lockWrites: false })).toMatchObject({ dropSourceAfter: true });
});

it.each<[MigrationChoices, string]>([
  [{ how: 'move', to: 'v2_shared' }, 'invalid_request'],
  [{ how: 'staged', dropSourceAfter: true }, 'invalid_request'],
  [{ how: 'dump_only', lockWrites: false }, 'invalid_request'],
])('refuses %o', (choices, code) => {
  expect(() => orderOf(pooled, choices)).toThrow(expect.objectContaining({ code }));
});

it.each(['staged', 'dump_only', 'discard_staged'] as const)('refuses %s of a project that is dedicated already', (how) => {
  expect(() => orderOf({ ...pooled, engine: 'v1_dedicated' }, { how })).toThrow(expect.objectContaining({ code: 'not_ready' }));
});
