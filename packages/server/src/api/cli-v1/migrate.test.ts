import type { LegacyMigrateRequest } from '@flux/contract/cli-v1/migrate';
import { expect, it } from 'vitest';
import { howOf, locksWrites } from './migrate.ts';

const read = (members: Partial<LegacyMigrateRequest>) => howOf({ slug: 'shop', hash: '0a1b2c3', ...members });

it.each<[Partial<LegacyMigrateRequest>, string]>([
  [{ dryRun: true }, 'dry_run'],
  [{ dryRun: true, yes: true }, 'dry_run'],
  [{ dryRun: true, yes: false, dumpOnly: false, staged: false, dropSourceAfter: true }, 'dry_run'],
  [{ how: 'dry_run' }, 'dry_run'],
  [{ how: 'dry_run', dryRun: true, yes: true }, 'dry_run'],
  [{ dumpOnly: true, yes: true, dryRun: false }, 'dump_only'],
  [{ staged: true, yes: true }, 'staged'],
  [{ how: 'discard_staged', yes: true, staged: false }, 'discard_staged'],
  [{ yes: true }, 'move'],
  [{ yes: true, dryRun: false, dumpOnly: false, staged: false, dropSourceAfter: false, lockWrites: true }, 'move'],
  [{ how: 'move', yes: true }, 'move'],
])('reads %o as %s', (members, how) => {
  expect(read(members)).toBe(how);
});

it.each<[Partial<LegacyMigrateRequest>]>([
  [{}],
  [{ yes: false }],
  [{ dryRun: false }],
  [{ dumpOnly: true }],
  [{ staged: true, yes: false }],
  [{ how: 'move' }],
  [{ how: 'discard_staged' }],
  [{ dropSourceAfter: true, skipBackupCheck: true }],
])('refuses %o without yes', (members) => {
  expect(() => read(members)).toThrow('Refusing to migrate without --yes');
});

it.each<[Partial<LegacyMigrateRequest>]>([
  [{ dryRun: true, staged: true }],
  [{ dumpOnly: true, staged: true }],
  [{ how: 'move', dryRun: true }],
  [{ how: 'dry_run', dryRun: false }],
  [{ how: 'dump_only', staged: true }],
  [{ how: 'discard_staged', staged: true }],
])('refuses %o, which contradicts itself, with yes or without', (members) => {
  for (const yes of [true, false]) expect(() => read({ ...members, yes })).toThrow('contradict each other');
});

it('keeps the JWT secret, as existing clients ask for, and refuses a new one', () => {
  expect(read({ yes: true, preserveJwtSecret: true, newJwtSecret: false })).toBe('move');
  for (const asked of [{ newJwtSecret: true }, { preserveJwtSecret: false }])
    for (const rest of [{ yes: true }, { dryRun: true }]) expect(() => read({ ...asked, ...rest })).toThrow('keeps the JWT secret');
});

it.each<[Partial<LegacyMigrateRequest>, boolean | undefined]>([
  [{}, undefined],
  [{ lockWrites: true }, true],
  [{ lockWrites: false }, false],
  [{ noLockWrites: true }, false],
  [{ noLockWrites: false }, true],
  [{ lockWrites: true, noLockWrites: false }, true],
  [{ lockWrites: false, noLockWrites: true }, false],
])('reads whether %o blocks writes', (members, blocks) => {
  expect(locksWrites({ slug: 'shop', hash: '0a1b2c3', ...members })).toBe(blocks);
});

it.each([true, false])('refuses a lock that is asked for and not, both %s', (both) => {
  expect(() => locksWrites({ slug: 'shop', hash: '0a1b2c3', lockWrites: both, noLockWrites: both })).toThrow('contradict each other');
});
