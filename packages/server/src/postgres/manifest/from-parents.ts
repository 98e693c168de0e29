import type { Manifest } from '../manifest.ts';
import { splitQualifiedName } from '../sql/quote.ts';
import { type ChangedDefinition, keyOf } from './changed-definitions.ts';
import { differingFacts, type Facts, parseFacts } from './facts.ts';

/** What `CREATE TABLE ... INHERITS` gives a column when the statement says nothing of it. */
const TAKEN: ReadonlySet<string> = new Set(['default', 'storage', 'compression']);

/**
 * Columns of child tables that lacked something that the same column of a parent has, and have it after a restore. pg_dump cannot say
 * that a column has the usual storage or compression, and not in every release that it has no default.
 *
 * @returns those of `changed` that differ in nothing else
 */
export function findTakenFromParents(
  { objects }: Pick<Manifest, 'objects'>,
  changed: readonly ChangedDefinition[],
): readonly ChangedDefinition[] {
  const columns = changed.filter(({ kind }) => kind === 'column');
  if (columns.length === 0) return [];
  const definitions = new Map(objects.map((object) => [keyOf(object), object.definition]));
  const factsOf = (kind: string, name: string): Facts => parseFacts(definitions.get(keyOf({ kind, name })) ?? '{}');
  const ancestorsOf = (table: string): readonly string[] => {
    const inherits = factsOf('table', table).inherits ?? factsOf('foreign_table', table).inherits;
    return Array.isArray(inherits) ? inherits.map(String).flatMap((parent) => [parent, ...ancestorsOf(parent)]) : [];
  };
  return columns.filter(({ name, expected, found }) => {
    const [schema = '', table = '', column = ''] = splitQualifiedName(name);
    const [before, after] = [parseFacts(expected), parseFacts(found)];
    const above = ancestorsOf(`${schema}.${table}`).map((ancestor) => factsOf('column', `${ancestor}.${column}`));
    return differingFacts(before, after).every(
      (fact) => TAKEN.has(fact) && before[fact] === undefined && above.some((parent) => parent[fact] === after[fact]),
    );
  });
}
