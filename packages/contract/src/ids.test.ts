import { expect, it } from 'vitest';
import { isSlug, toSlug } from './ids.ts';

it.each([
  ['Bloom Atelier', 'bloom-atelier'],
  ['bloom-atelier', 'bloom-atelier'],
  ['a--b', 'a--b'],
  ['  Café  Zoë  ', 'cafe-zoe'],
  ['Shop_2024!', 'shop-2024'],
  ['--x--', 'x'],
  ['ＦＵＬＬ width', 'full-width'],
])('makes a slug of %s', (name, slug) => {
  expect(toSlug(name)).toBe(slug);
  expect(isSlug(slug)).toBe(true);
  expect(toSlug(slug)).toBe(slug);
});

it.each(['', '...', '日本語', '2024 shop', 'x'.repeat(41)])('makes none of %s', (name) => {
  expect(isSlug(toSlug(name))).toBe(false);
});
