import { expect, it } from 'vitest';
import { formatDuration, formatTime } from './time.ts';

const at = (iso: string) => new Date(iso);

it.each([
  ['2026-06-22T18:00:00.000Z', '1781975913697 · 2026-06-20T17:18:33.697Z · Jun 20, 2026, 5:18 PM UTC · 2 days ago'],
  ['2026-06-20T17:18:34.000Z', '1781975913697 · 2026-06-20T17:18:33.697Z · Jun 20, 2026, 5:18 PM UTC · just now'],
  ['2026-06-20T17:19:40.000Z', '1781975913697 · 2026-06-20T17:18:33.697Z · Jun 20, 2026, 5:18 PM UTC · 1 minute ago'],
  ['2026-06-20T14:18:33.697Z', '1781975913697 · 2026-06-20T17:18:33.697Z · Jun 20, 2026, 5:18 PM UTC · in 3 hours'],
  ['2027-06-20T17:18:33.697Z', '1781975913697 · 2026-06-20T17:18:33.697Z · Jun 20, 2026, 5:18 PM UTC · 11 months ago'],
])('writes a time in four ways, seen from %s', (now, text) => {
  expect(formatTime('2026-06-20T17:18:33.697Z', at(now))).toBe(text);
});

it.each([
  ['2026-01-02T00:05:00.000Z', 'Jan 2, 2026, 12:05 AM UTC'],
  ['2026-12-31T12:00:00.000Z', 'Dec 31, 2026, 12:00 PM UTC'],
])('writes midnight and noon of %s as 12', (iso, text) => {
  expect(formatTime(iso, at(iso))).toContain(` · ${text} · `);
});

it.each([
  [85, '85 ms'],
  [1_240, '1.2 s'],
  [200_000, '3 min 20 s'],
  [7_500_000, '2 h 5 min'],
])('writes %d ms as %s', (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
});
