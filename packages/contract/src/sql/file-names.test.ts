import { expect, it } from 'vitest';
import { compareNames, describeWayDown, flywayVersion, isFlywayCallback, isNumberedName, undoesAnother } from './file-names.ts';

it.each([
  ['10_a', '2_b', '1_c', '2_a', '02_a'],
  ['V1__b.sql', 'V10__d.sql', 'V1.1__c.sql', 'V2__e.sql', 'V1_2__f.sql'],
  ['1.10.0_a.sql', '1.9_b.sql', '1.9.1_c.sql', '2.sql'],
  ['v1.1.sql', 'v1.sql', 'v10.sql', 'v2.sql'],
  ['20260102000000_b.sql', '20260101235959_a.sql', '2026-01-01_x.sql'],
  ['000002_b.up.sql', '000001_a.up.sql', '000010_c.up.sql'],
])('orders numbers by their value, and versions part by part: %j', (...names) => {
  const expected: Record<string, readonly string[]> = {
    '10_a': ['1_c', '02_a', '2_a', '2_b', '10_a'],
    'V1__b.sql': ['V1__b.sql', 'V1.1__c.sql', 'V1_2__f.sql', 'V2__e.sql', 'V10__d.sql'],
    '1.10.0_a.sql': ['1.9_b.sql', '1.9.1_c.sql', '1.10.0_a.sql', '2.sql'],
    'v1.1.sql': ['v1.sql', 'v1.1.sql', 'v2.sql', 'v10.sql'],
    '20260102000000_b.sql': ['2026-01-01_x.sql', '20260101235959_a.sql', '20260102000000_b.sql'],
    '000002_b.up.sql': ['000001_a.up.sql', '000002_b.up.sql', '000010_c.up.sql'],
  };
  expect([...names].sort(compareNames)).toEqual(expected[names[0] ?? '']);
});

it.each([
  '000001_a.down.sql',
  '000001_a.DOWN.sql',
  '001-y.undo.sql',
  '001.undo.sql',
  '001.undo.create-y.sql',
  '0001.foo.rollback.sql',
  'U1__undo_b.sql',
  'U1.1__x.sql',
  'down.sql',
  '20260101_init/down.sql',
])('recognises %s as a way down', (name) => {
  expect(describeWayDown(name)).toEqual(expect.any(String));
});

it.each([
  '000001_a.up.sql',
  '001-y.do.sql',
  '001.do.undo.sql',
  '002_scale_down.sql',
  'breakdown.sql',
  'U_users.sql',
  '3_undo_log.sql',
  'up.sql',
  'V1__down.sql',
])('takes %s for a migration', (name) => {
  expect(describeWayDown(name)).toBeUndefined();
});

it.each([
  ['1-a-down.sql', '1-a-up.sql', true],
  ['1_down_a.sql', '1_up_a.sql', true],
  ['1_a_rollback.sql', '1_a.sql', true],
  ['a_down.sql', 'a_up.sql', true],
  ['2_scale_down.sql', '1_scale.sql', false],
  ['1_down_a.sql', '1_up_b.sql', false],
  ['down_payments.sql', 'payments.sql', false],
])('takes %s beside %s for a pair: %s', (name, other, isPair) => {
  expect(undoesAnother(name, new Set([name, other]))).toBe(isPair);
});

it.each([
  ['V1__a.sql', '1'],
  ['V1.0__a.sql', '1'],
  ['v01_2__a.sql', '1.2'],
  ['V2_init.sql', undefined],
  ['R__a.sql', undefined],
])('reads the version of %s as %s', (name, version) => {
  expect(flywayVersion(name)).toBe(version);
});

it('knows numbered names and callbacks', () => {
  expect(['001_a.sql', '7.sql', '1-a.sql', '2024 x.sql', '0001add.sql', 'V1__a.sql'].every(isNumberedName)).toBe(true);
  expect(['2nd.sql', 'seed.sql', 'V_1.sql', 'a1.sql'].some(isNumberedName)).toBe(false);
  expect(['beforeMigrate.sql', 'afterEachMigrate__log.sql', 'createSchema.sql'].every(isFlywayCallback)).toBe(true);
  expect(['before_all.sql', 'afterlife.sql'].some(isFlywayCallback)).toBe(false);
});
