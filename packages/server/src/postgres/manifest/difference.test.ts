import { displaySafe } from '@flux/contract/display';
import { expect, it } from 'vitest';
import { difference } from './difference.ts';

it('shows no character of a name that could move the cursor or turn the direction of the text', () => {
  expect(displaySafe('a\nb\u001b[31m\u202ec\u0000d\u2028é')).toBe('a\\u000ab\\u001b[31m\\u202ec\\u0000d\\u2028é');
});

it('cuts definitions to what a person reads', () => {
  expect(difference('failure', 'view', 'v', 'changed', 'x'.repeat(5000), null).expected).toMatch(/^x{600}\.\.\. \(5000 characters\)$/);
});
