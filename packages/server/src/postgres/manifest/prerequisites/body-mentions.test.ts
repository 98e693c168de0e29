import { describe, expect, it } from 'vitest';
import { readMentions } from './body-mentions.ts';

const crypt = { schema: 'public', name: 'crypt', isOperator: false };
const read = (source: string, language = 'plpgsql') => readMentions([{ language, source }]);

describe('what bodies of functions name', () => {
  it.each(['SELECT public.crypt(a)', 'select PUBLIC . "crypt"(a)', `execute 'select crypt(1)'`, '-- crypt', 'SELECT CRYPT(1)'])(
    'is found in %s',
    (source) => {
      expect(read(source).names(crypt)).toBe(true);
    },
  );

  it.each(['SELECT encrypt(a)', 'SELECT crypto(a)', 'SELECT 1'])('is not found in %s', (source) => {
    expect(read(source).names(crypt)).toBe(false);
  });

  it.each([
    ['SELECT public.crypt(1)', true],
    ['SELECT "public" . "crypt"(1)', true],
    ['SELECT crypt(1)', false],
    ['SELECT own.crypt(1)', false],
  ])('stands after its schema in %s: %s', (source, expected) => {
    expect(read(source).names(crypt, 'qualified')).toBe(expected);
  });

  it.each(['%', '<->'])('may be the operator %s, also beside other signs', (name) => {
    expect(read(`SELECT a ${name}-1`).names({ schema: 'public', name, isOperator: true })).toBe(true);
    expect(read('SELECT a && b').names({ schema: 'public', name, isOperator: true })).toBe(false);
  });

  it.each([
    ['plpgsql', `BEGIN EXECUTE 'select 1'; END`, false],
    ['plpgsql', `BEGIN EXECUTE 'select 1' INTO x; END`, false],
    ['plpgsql', `BEGIN EXECUTE 'select ' || a; END`, true],
    ['plpgsql', `BEGIN EXECUTE 'select 1' || a; END`, true],
    ['plpgsql', `BEGIN EXECUTE format('select %I', a); END`, true],
    ['plpgsql', `BEGIN execute stored; END`, true],
    ['plpgsql', 'BEGIN RETURN QUERY EXECUTE stored; END', true],
    ['plpgsql', 'BEGIN RETURN new; END', false],
    ['sql', 'SELECT query_to_xml($1, true, true, $2)', true],
    ['sql', 'SELECT 1', false],
    ['plpython3u', 'return 1', true],
  ])('may be anything in %s %s: %s', (language, source, expected) => {
    expect(read(source, language).isOpen).toBe(expected);
  });
});
