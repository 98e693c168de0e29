import { FluxError } from '@flux/contract/errors';
import type { Route } from '@flux/contract/route';
import * as z from 'zod';
import { nearestWord } from '../system/nearest-word.ts';

const SCHEMAS = { path: 'params', query: 'query', body: 'body' } as const;
const NOTHING = z.strictObject({}).optional();
/** Names come from the request: these limits bound the answer and the search for the nearest known name. */
const MAX = { named: 5, nameLength: 64 };

/**
 * Reads one part of a request with the schema of its route. A route that may change something rejects unknown members in its query
 * and its body: an ignored member might be a `dryRun`.
 *
 * @throws FluxError `invalid_request`, naming each problem, and for an unknown member the nearest known one
 */
export function parseInput(route: Route, where: 'path' | 'query' | 'body', value: unknown): unknown {
  const schema: z.ZodType | undefined = route[SCHEMAS[where]] ?? (where === 'path' || route.method === 'GET' ? undefined : NOTHING);
  if (schema === undefined) return undefined;
  const result = schema.safeParse(value === '' ? undefined : (value ?? undefined));
  if (result.success) return result.data;
  const problems = result.error.issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys'
      ? describeUnknown(schema, issue.path, issue.keys)
      : [`${issue.path.join('.') || where}: ${issue.message}`],
  );
  throw new FluxError('invalid_request', `The ${where} of the request is invalid: ${problems.join('; ')}.`, {
    hint: 'Nothing was changed. See /api/openapi.json.',
    details: { problems },
  });
}

function describeUnknown(schema: z.ZodType, path: readonly PropertyKey[], keys: readonly string[]): string[] {
  const known = membersAt(schema, path);
  const named = keys.slice(0, MAX.named).map((key) => {
    const name = key.slice(0, MAX.nameLength);
    const nearest =
      known.length === 0 ? 'none are allowed here' : `the nearest known one is "${[...path, nearestWord(name, known)].join('.')}"`;
    return `unknown member "${[...path, name].join('.')}" (${nearest})`;
  });
  return keys.length > MAX.named ? [...named, `${keys.length - MAX.named} more unknown members`] : named;
}

/** Names of the members that the object at a path may have. */
function membersAt(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let node = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as JsonSchema | undefined;
  for (const step of path) node = typeof step === 'number' ? node?.items : node?.properties?.[String(step)];
  return Object.keys(node?.properties ?? {});
}

interface JsonSchema {
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly items?: JsonSchema;
}
