import { expect, it } from 'vitest';
import { formatBytes, formatCounted } from './quantity.ts';

it.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1024, '1.0 KiB'],
  [5 * 1024 ** 2, '5.0 MiB'],
  [1024 ** 2 - 1, '1.0 MiB'],
  [3 * 1024 ** 3, '3.0 GiB'],
])('writes %d bytes as %s', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

it.each([
  [1, 'index', '1 index'],
  [12, 'index', '12 indexes'],
  [2, 'policy', '2 policies'],
  [3, 'default privileges', '3 default privileges'],
  [15607, 'row', '15,607 rows'],
])('writes %d of %s as %s', (count, noun, text) => {
  expect(formatCounted(count, noun)).toBe(text);
});
