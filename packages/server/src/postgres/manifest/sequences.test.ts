import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SequenceValue } from '../manifest.ts';
import { isPossibleValue } from './sequences.ts';

const value = (lastValue: number, extra: Partial<SequenceValue> = {}): SequenceValue => ({
  name: 's',
  lastValue: String(lastValue),
  isCalled: true,
  increment: '1',
  cycles: false,
  ...extra,
});
const after = (lastValue: number, isCalled = true) => ({ after: { lastValue: String(lastValue), isCalled } });

describe('the value of a restored sequence', () => {
  it.each<[string, SequenceValue, SequenceValue, boolean]>([
    ['is what an idle one had', value(5, after(5)), value(5), true],
    ['is not ahead of an idle one', value(5, after(5)), value(6), false],
    ['is not behind an idle one', value(5, after(5)), value(4), false],
    ['is called when it was', value(5, after(5)), value(5, { isCalled: false }), false],
    ['lies between the two readings', value(5, after(9)), value(7), true],
    ['lies not before them', value(5, after(9)), value(4), false],
    ['lies not beyond them', value(5, after(9)), value(10), false],
    ['lies between them downwards', value(5, { increment: '-1', ...after(1) }), value(3), true],
    ['lies not before them downwards', value(5, { increment: '-1', ...after(1) }), value(6), false],
    ['may be called for the first time', value(1, { isCalled: false, ...after(1) }), value(1), true],
    ['may have cycled', value(98, { cycles: true, ...after(3) }), value(100), true],
    ['may have cycled and begun again', value(98, { cycles: true, ...after(3) }), value(2), true],
    ['is not in between when it cycled', value(98, { cycles: true, ...after(3) }), value(50), false],
    ['may have been set back', value(98, after(3)), value(50), true],
    ['may be ahead when there was no second reading', value(5), value(50), true],
    ['is never behind', value(5), value(4), false],
    [
      'is exact beyond 2^53',
      value(0, { lastValue: '9007199254740993', ...{ after: { lastValue: '9007199254740993', isCalled: true } } }),
      value(0, { lastValue: '9007199254740992' }),
      false,
    ],
  ])('%s', (_what, expected, found, possible) => {
    expect(isPossibleValue(expected, found)).toBe(possible);
  });

  it('may always be either reading', () => {
    const any = fc.record({
      first: fc.integer(),
      last: fc.integer(),
      called: fc.boolean(),
      increment: fc.constantFrom('1', '-1', '7'),
      cycles: fc.boolean(),
    });
    fc.assert(
      fc.property(any, ({ first, last, called, increment, cycles }) => {
        const expected = value(first, { isCalled: called, increment, cycles, ...after(last) });
        expect(isPossibleValue(expected, value(first, { isCalled: called }))).toBe(true);
        expect(isPossibleValue(expected, value(last))).toBe(true);
      }),
    );
  });
});
