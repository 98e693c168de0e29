import { expect, it } from 'vitest';
import { patternOf, patternParts } from './pattern.ts';

it.each([
  ['app', ['^(app)$']],
  ['APP', ['^(app)$']],
  ['"App"', ['^(App)$']],
  ['a*', ['^(a.*)$']],
  ['log?', ['^(log.)$']],
  ['log.2024_*', ['^(log)$', '^(2024_.*)$']],
  ['"a.b*".c', ['^(a\\.b\\*)$', '^(c)$']],
  ['"a""b"', ['^(a"b)$']],
  ['pay$', ['^(pay\\$)$']],
  ['log_[0-9]+', ['^(log_[0-9]+)$']],
])('reads the pattern %s as pg_dump does', (pattern, parts) => {
  expect(patternParts(pattern)).toEqual(parts);
});

it('refuses a quote that is not closed', () => {
  expect(() => patternParts('"app')).toThrow('The pattern "app has a double quote that is not closed.');
});

it.each(['app', 'Odd', 'a.b', 'we"ird', 'x*y', 'pay$'])('writes the pattern of the name %s', (name) => {
  const [part] = patternParts(patternOf(name).replaceAll("'", ''));
  expect(new RegExp(part as string).test(name)).toBe(true);
  expect(new RegExp(part as string).test(`${name}x`)).toBe(false);
});
