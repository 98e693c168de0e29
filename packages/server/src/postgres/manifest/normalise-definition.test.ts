import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { normaliseDefinition } from './normalise-definition.ts';

describe('a definition that Postgres has told and read again', () => {
  it.each([
    [
      `CHECK (((status)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying])::text[])))`,
      `CHECK (((status)::text = ANY (ARRAY[('a'::character varying)::text, ('b'::character varying)::text])))`,
    ],
    [
      `(x = ANY ((ARRAY['it''s, ]'::character varying, "odd ] column"])::public."My type"[]))`,
      `(x = ANY (ARRAY[('it''s, ]'::character varying)::public."My type", ("odd ] column")::public."My type"]))`,
    ],
    [`((ARRAY[f(1, 2), ARRAY[3]])::character varying(5)[])`, `(ARRAY[(f(1, 2))::character varying(5), (ARRAY[3])::character varying(5)])`],
    [`(ARRAY[1, 2])[1]`, `(ARRAY[1, 2])[1]`],
    [`'(ARRAY['`, `'(ARRAY['`],
    ['(ARRAY[1', '(ARRAY[1'],
  ])('%s', (told, readAgain) => {
    expect(normaliseDefinition(told)).toBe(readAgain);
  });

  it('comes to an end, whatever the text', () => {
    const pieces = fc.constantFrom('(ARRAY[', '])::text[]', "'", ',', '(', ')', ']', '::', 'a', '"', '[');
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 60 }), (parts) => void normaliseDefinition(parts.join(''))),
      { numRuns: 2000 },
    );
  });
});
