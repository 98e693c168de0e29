import { expect, it } from 'vitest';
import { findDisagreement } from './witnesses.ts';

const at = (place: string, sha256: string) => ({ place, sha256 });

it.each([
  ['nothing', [], undefined],
  ['one place', [at('a', '1')], undefined],
  ['places that agree', [at('a', '1'), at('b', '1')], undefined],
  [
    'one that differs',
    [at('a', '1'), at('b', '2'), at('c', '1')],
    'The manifest does not have one SHA-256 digest: 2 by b, but 1 by a and c.',
  ],
  ['a tie', [at('a', '1'), at('b', '2')], 'The manifest has different SHA-256 digests: 1 by a; 2 by b.'],
] as const)('tells which place differs: %s', (_name, witnesses, told) => {
  expect(findDisagreement('The manifest', witnesses)).toBe(told);
});
