import { expect, it } from 'vitest';
import { undoNameFor } from './undo.ts';

const at = (time: string) => new Date(`2026-06-20T${time}Z`);

it('names what is replaced by the second', () => {
  expect(undoNameFor('shop', [], at('17:18:33.697'))).toBe('shop_before_20260620171833');
  expect(undoNameFor('shop', ['shop_before_20260620171832'], at('17:18:33'))).toBe('shop_before_20260620171833');
});

it('never asks for a name that is taken, nor for an earlier one', () => {
  const taken = ['shop_before_20260620235959', 'shop_before_20260620171833'];
  expect(undoNameFor('shop', taken, at('23:59:59.999'))).toBe('shop_before_20260621000000');
  expect(undoNameFor('shop', taken, at('12:00:00'))).toBe('shop_before_20260621000000');
});
