import { describe, expect, it } from 'vitest';
import type { ChangeMarks } from '../postgres/change-marks.ts';
import { changesBetween } from './changes.ts';

const marks = (tables: ChangeMarks['tables'], more: Partial<ChangeMarks> = {}): ChangeMarks => ({
  version: 1,
  isCounting: true,
  place: '16384/2200',
  databaseResetAt: null,
  serverResetAt: '1781975913.5',
  tables,
  ...more,
});
const then = marks({ 1: ['10', 100, 5, 2], 2: ['20', 7, 0, 0] });

describe('changesBetween', () => {
  it('finds nothing between equal readings', () => {
    expect(changesBetween(then, then)).toEqual({
      known: true,
      rowsInserted: 0,
      rowsUpdated: 0,
      rowsDeleted: 0,
      tablesCreated: 0,
      tablesDropped: 0,
      tablesRewritten: 0,
    });
  });

  it('adds up rows and tells tables that came, went or were emptied', () => {
    const now = marks({ 1: ['11', 120, 6, 2], 3: ['30', 40, 0, 1] });
    expect(changesBetween(then, now)).toEqual({
      known: true,
      rowsInserted: 60,
      rowsUpdated: 1,
      rowsDeleted: 1,
      tablesCreated: 1,
      tablesDropped: 1,
      tablesRewritten: 1,
    });
  });

  it.each<[string, Partial<ChangeMarks>, RegExp]>([
    ['another database', { place: '16385/2200' }, /replaced as a whole/],
    ['a crash', { serverResetAt: '1781975999.5' }, /by a crash/],
    ['a server that does not say when it began', { serverResetAt: null }, /by a crash/],
    ['a reset', { databaseResetAt: '1781975999.5' }, /statistics of Postgres have been reset/],
    ['counting that was turned off', { isCounting: false }, /track_counts/],
    ['a counter that decreased', { tables: { 1: ['10', 99, 5, 2] } }, /has decreased/],
  ])('knows nothing after %s', (_, change, why) => {
    const changes = changesBetween(then, { ...then, ...change });
    expect(changes).toEqual({ known: false, why: expect.stringMatching(why) });
  });
});
