import type { z } from 'zod';
import { keyOf } from '../manifest/changed-definitions.ts';
import type { SchemaObject } from '../manifest.ts';

/** Objects of the source that are missing in the restored database, or different there. */
export interface Wanted extends SchemaObject {
  /** As it is in the restored database; null when it is missing. */
  readonly present: string | null;
}

/** The objects of one kind that the restored database does not have as the source had them. */
export function wantedOf(kind: string, expected: readonly SchemaObject[], found: readonly SchemaObject[]): readonly Wanted[] {
  const there = new Map(found.filter((object) => object.kind === kind).map((object) => [keyOf(object), object.definition]));
  return expected
    .filter((object) => object.kind === kind && there.get(keyOf(object)) !== object.definition)
    .map((object) => ({ ...object, present: there.get(keyOf(object)) ?? null }));
}

/** Reads the facts of a definition; undefined when they have not the expected shape: a manifest is never trusted to be SQL. */
export function factsOf<T>(schema: z.ZodType<T>, definition: string): T | undefined {
  try {
    return schema.safeParse(JSON.parse(definition)).data;
  } catch {
    return undefined;
  }
}
