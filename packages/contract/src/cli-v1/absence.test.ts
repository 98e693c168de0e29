import { expect, it } from 'vitest';
import * as z from 'zod';
import { leaveOutNulls, withoutNulls } from './absence.ts';

const Schema = z.object({
  size: z.number().nullable(),
  at: z.iso.datetime().nullable().describe('UTC'),
  note: z.string().nullable().optional(),
  nested: z.object({ port: z.number().nullable() }).nullable(),
  list: z.array(z.object({ why: z.string().nullable(), what: z.enum(['a', 'b']) })),
  either: z.union([z.object({ known: z.literal(true), rows: z.number().nullable() }), z.object({ known: z.literal(false) })]),
  counts: z.record(z.string(), z.number().nullable()),
});

const value = {
  size: null,
  at: null,
  note: null,
  nested: { port: null },
  list: [{ why: null, what: 'a' as const }],
  either: { known: true as const, rows: null },
  counts: { tables: 1, views: null },
};

it('leaves out members without a value, at every depth', () => {
  expect(Schema.safeParse(value).success).toBe(true);
  expect(leaveOutNulls(value)).toEqual({ nested: {}, list: [{ what: 'a' }], either: { known: true }, counts: { tables: 1 } });
  expect(leaveOutNulls([null, 0, '', false])).toEqual([null, 0, '', false]);
});

it('has a schema that takes what is left, and no null', () => {
  const sent = withoutNulls(Schema);
  expect(sent.parse(leaveOutNulls(value))).toEqual(leaveOutNulls(value));
  for (const name of Object.keys(Schema.shape)) {
    if (name !== 'list') expect(sent.safeParse({ ...(leaveOutNulls(value) as object), [name]: null }).success).toBe(false);
  }
  expect(sent.safeParse({ ...(leaveOutNulls(value) as object), list: [{ why: null, what: 'a' }] }).success).toBe(false);
  expect(JSON.stringify(z.toJSONSchema(sent))).not.toContain('null');
  expect(z.toJSONSchema(sent)).toMatchObject({ properties: { at: { description: 'UTC' } } });
});
