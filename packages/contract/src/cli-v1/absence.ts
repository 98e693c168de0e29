import * as z from 'zod';
import type { Route } from '../route.ts';

/** A value as existing clients read it: members without a value are left out at every depth, never null. Elements of lists stay. */
export function leaveOutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(leaveOutNulls);
  if (typeof value !== 'object' || value === null) return value;
  const present = Object.entries(value).filter(([, member]) => member !== null);
  return Object.fromEntries(present.map(([name, member]) => [name, leaveOutNulls(member)]));
}

/** The schema of what `leaveOutNulls` makes of the values of a schema: nullable members become optional. */
export function withoutNulls(schema: z.ZodType): z.ZodType {
  if (schema instanceof z.ZodObject) {
    const shape = Object.entries(schema.shape as Record<string, z.ZodType>).map(([name, member]) => [name, memberWithoutNull(member)]);
    return keepingWords(schema, z.object(Object.fromEntries(shape)));
  }
  if (schema instanceof z.ZodArray) return keepingWords(schema, z.array(withoutNulls(schema.element as z.ZodType)));
  if (schema instanceof z.ZodRecord) return keepingWords(schema, z.record(z.string(), memberWithoutNull(schema.valueType as z.ZodType)));
  if (schema instanceof z.ZodUnion) return keepingWords(schema, z.union(schema.options.map((option) => withoutNulls(option as z.ZodType))));
  if (schema instanceof z.ZodOptional) return keepingWords(schema, withoutNulls(schema.unwrap() as z.ZodType).optional());
  if (schema instanceof z.ZodDefault)
    return keepingWords(schema, withoutNulls(schema.unwrap() as z.ZodType).default(schema.def.defaultValue as never));
  if (schema instanceof z.ZodReadonly) return keepingWords(schema, withoutNulls(schema.unwrap() as z.ZodType).readonly());
  return schema;
}

/** A route of this API with the answer that is sent. */
export function withoutNullsInAnswer<R extends Route>(route: R): R {
  return route.answer === undefined ? route : { ...route, answer: withoutNulls(route.answer) };
}

function memberWithoutNull(member: z.ZodType): z.ZodType {
  if (member instanceof z.ZodNullable) return keepingWords(member, withoutNulls(member.unwrap() as z.ZodType).optional());
  if (member instanceof z.ZodOptional) return keepingWords(member, memberWithoutNull(member.unwrap() as z.ZodType).optional());
  return withoutNulls(member);
}

/** The description is part of the published API. */
function keepingWords(from: z.ZodType, to: z.ZodType): z.ZodType {
  return from.description === undefined ? to : to.describe(from.description);
}
