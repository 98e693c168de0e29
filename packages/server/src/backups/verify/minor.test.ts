import { expect, it } from 'vitest';
import { isOlderMinor } from './minor.ts';

it.each([
  ['15.18', '15.20', true],
  ['15.9', '15.10', true],
  ['15.20', '15.18', false],
  ['15.18', '15.18', false],
  ['15.18', '17.12', false],
  ['18beta1', '18.1', false],
])('a server of %s is older than a source of %s: %s', (here, source, expected) => {
  expect(isOlderMinor(here, source)).toBe(expected);
});
