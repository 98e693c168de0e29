import { expect, it } from 'vitest';
import { findApplied, isSameVersion } from './applied.ts';

it.each([
  ['1', '001'],
  ['0001', '001'],
  ['0', '000'],
  ['001', '001_double.sql'],
  ['1', '001_double.SQL'],
  ['1_double', '0001_double.sql'],
  ['20260101120000', '20260101120000_users.sql'],
  ['00000000000000000000000000000001', '1_one.sql'],
  ['init', 'init.sql'],
  ['v2_init', 'v2_init.sql'],
])('takes %s and %s for one version', (one, other) => {
  expect(isSameVersion(one, other)).toBe(true);
  expect(isSameVersion(other, one)).toBe(true);
});

it.each([
  ['1', '10'],
  ['001', '002_double.sql'],
  ['20260101_a.sql', '20260101_b.sql'],
  ['init', 'Init'],
  ['v1', '1'],
  ['1.0', '1'],
  ['12345678901234567890', '12345678901234567891'],
  ['', '0'],
])('takes %s and %s for two versions', (one, other) => {
  expect(isSameVersion(one, other)).toBe(false);
  expect(isSameVersion(other, one)).toBe(false);
});

const row = (version: string, filename: string, checksum: string) => ({ version, filename, checksum });

it.each([
  ['another spelling', row('001', '001_a.sql', 'x'), [row('001_a.sql', '001_a.sql', 'x')], '001_a.sql'],
  ['the same file under a version of another kind', row('001', '001_a.sql', 'x'), [row('7f3a', 'migrations/001_a.sql', 'x')], '7f3a'],
  [
    'the same content rather than the same version',
    row('5', '5_b.sql', 'y'),
    [row('5', '5_a.sql', 'x'), row('5_b.sql', '5_b.sql', 'y')],
    '5_b.sql',
  ],
  ['the very version of an edited file', row('5', '5_b.sql', 'z'), [row('5_a.sql', '5_a.sql', 'x'), row('5', '5_b.sql', 'y')], '5'],
  ['nothing of a file with the same name and other content', row('b', 'migration.sql', 'y'), [row('a', 'migration.sql', 'x')], undefined],
  ['nothing of the same content under another name', row('2', '2_b.sql', 'x'), [row('1', '1_a.sql', 'x')], undefined],
  ['no repeatable script', row('fn', 'fn.sql', 'x'), [row('R:fn', 'fn.sql', 'x')], undefined],
])('finds %s', (_what, file, rows, version) => {
  expect(findApplied(file, rows)?.version).toBe(version);
});
