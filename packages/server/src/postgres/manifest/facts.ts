import { FluxError } from '@flux/contract/errors';
import * as z from 'zod';
import type { SchemaObject } from '../manifest.ts';
import { unquoteIdentifier } from '../sql/quote.ts';

/** A definition of most kinds is a JSON object of named facts, as `facts` of `objects/query.ts` writes it. */
export type Facts = Readonly<Record<string, unknown>>;

const AnyFacts = z.record(z.string(), z.unknown());
const ColumnFacts = z.looseObject({ options: z.array(z.string()).optional() });
const ExtensionFacts = z.looseObject({ schema: z.string().default('public'), version: z.string().default('') });

/** @throws FluxError `verification_inconclusive` when the definition is not an object of facts */
export function parseFacts(definition: string): Facts {
  return parse(AnyFacts, definition);
}

/** The names of the facts that two definitions do not have alike. */
export function differingFacts(before: Facts, after: Facts): readonly string[] {
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].filter(
    (fact) => JSON.stringify(before[fact]) !== JSON.stringify(after[fact]),
  );
}

/** The facts of a column. @throws FluxError `verification_inconclusive` */
export function parseColumnFacts(definition: string): z.infer<typeof ColumnFacts> {
  return parse(ColumnFacts, definition);
}

/** The version of an extension, from its definition. @throws FluxError `verification_inconclusive` */
export function parseExtensionVersion(definition: string): string {
  return parse(ExtensionFacts, definition).version;
}

/** The extensions that a manifest names, without the one that every database has. Names are plain, not SQL text. */
export function extensionsOf(objects: readonly SchemaObject[]): { readonly name: string; readonly schema: string }[] {
  return objects
    .filter(({ kind, name }) => kind === 'extension' && name !== 'plpgsql')
    .map(({ name, definition }) => ({
      name: unquoteIdentifier(name),
      schema: unquoteIdentifier(parse(ExtensionFacts, definition).schema),
    }));
}

function parse<T>(schema: z.ZodType<T>, definition: string): T {
  try {
    return schema.parse(JSON.parse(definition));
  } catch (cause) {
    throw new FluxError('verification_inconclusive', `A definition of the manifest cannot be read: ${definition.slice(0, 200)}`, {
      hint: 'Create a new backup with `flux backup create`.',
      cause,
    });
  }
}
