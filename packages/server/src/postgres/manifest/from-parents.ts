import type { Manifest } from '../manifest.ts';
import { splitQualifiedName } from '../sql/quote.ts';
import { type ChangedDefinition, keyOf } from './changed-definitions.ts';
import { type Facts, parseFacts } from './facts.ts';

/** What `CREATE TABLE ... INHERITS` gives a column where the statement says nothing of it. */
const TAKEN: ReadonlySet<string> = new Set(['default', 'storage', 'compression']);

/**
 * Columns of child tables that lacked something which their parent's have, and have it after a restore: pg_dump has no words for a
 * column that has the usual storage or compression, and none in every release for one without a default.
 *
 * @returns those of `changed` that differ in nothing else
 */
export function findTakenFromParents(
  { objects }: Pick<Manifest, 'objects'>,
  changed: readonly ChangedDefinition[],
): readonly ChangedDefinition[] {
  const candidates = changed.filter(({ kind, expected, found }) => kind === 'column' && hasMoreOf(TAKEN, expected, found));
  if (candidates.length === 0) return [];
  const definitions = new Map(objects.map((object) => [keyOf(object), object.definition]));
  const factsOf = (kind: string, name: string): Facts => parseFacts(definitions.get(keyOf({ kind, name })) ?? '{}');
  const ancestorsOf = (table: string): readonly string[] => {
    const { inherits } = factsOf('table', table);
    return Array.isArray(inherits) ? inherits.map(String).flatMap((parent) => [parent, ...ancestorsOf(parent)]) : [];
  };
  return candidates.filter(({ name, expected, found }) => {
    const [schema = '', table = '', column = ''] = splitQualifiedName(name);
    const [before, after] = [parseFacts(expected), parseFacts(found)];
    const above = ancestorsOf(`${schema}.${table}`).map((ancestor) => factsOf('column', `${ancestor}.${column}`));
    return [...TAKEN].every((fact) => after[fact] === before[fact] || above.some((parent) => parent[fact] === after[fact]));
  });
}

/** Whether the second definition is the first with some of these facts, which the first has not. */
function hasMoreOf(facts: ReadonlySet<string>, expected: string, found: string): boolean {
  const [before, after] = [parseFacts(expected), parseFacts(found)];
  const differing = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter(
    (fact) => JSON.stringify(before[fact]) !== JSON.stringify(after[fact]),
  );
  return differing.length > 0 && differing.every((fact) => facts.has(fact) && before[fact] === undefined);
}
